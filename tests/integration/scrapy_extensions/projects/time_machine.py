from shop import Shop

TIME_MACHINE_ENABLED = True
TIME_MACHINE_STORAGE = "scrapy_time_machine.storages.DbmTimeMachineStorage"
TIME_MACHINE_SNAPSHOT = True
TIME_MACHINE_URI = "snapshot"
DOWNLOADER_MIDDLEWARES = {"scrapy_time_machine.timemachine.TimeMachineMiddleware": 901}


class Spider(Shop):
    name = "time_machine"
