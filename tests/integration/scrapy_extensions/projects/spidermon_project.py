import json
from pathlib import Path

from shop import Shop
from spidermon import Monitor, MonitorSuite, monitors
from spidermon.core.actions import Action

SPIDERMON_ENABLED = True
EXTENSIONS = {"spidermon.contrib.scrapy.extensions.Spidermon": 500}
SPIDERMON_SPIDER_CLOSE_MONITORS = ("project.CloseSuite",)
SPIDERMON_MIN_ITEMS = 4
SPIDERMON_ADD_FIELD_COVERAGE = True
SPIDERMON_VALIDATION_SCHEMAS = ["schema.json"]
ITEM_PIPELINES = {"spidermon.contrib.scrapy.pipelines.ItemValidationPipeline": 800}
Path("schema.json").write_text(json.dumps({"type": "object", "required": ["name", "size"]}))


class Note(Action):
    def run_action(self):
        Path("monitors.txt").write_text(
            f"{len(self.result.monitors_passed_results)} {self.data.stats['item_scraped_count']}"
        )


@monitors.name("Items")
class Items(Monitor):
    @monitors.name("enough")
    def test_enough(self):
        assert self.data.stats["item_scraped_count"] >= 4

    @monitors.name("no errors")
    def test_errors(self):
        assert self.data.stats.get("log_count/ERROR", 0) == 0


class CloseSuite(MonitorSuite):
    monitors = [Items]
    monitors_finished_actions = [Note]


class Spider(Shop):
    name = "spidermon_project"
