"""Settings of the project. Spiders add their own by `custom_settings`."""

BOT_NAME = "corpus"
SPIDER_MODULES = ["corpus.spiders"]
NEWSPIDER_MODULE = "corpus.spiders"
EXTENSIONS = {"corpus.recorder.Recorder": 0}
TELNETCONSOLE_ENABLED = False
LOG_LEVEL = "WARNING"
CORPUS_ANSWER = "42"
