from shop import Shop

ITEM_PIPELINES = {"scrapy_folder_tree.FilesHashTreePipeline": 300}
FILES_STORE = "files"
FOLDER_TREE_DEPTH = 2


class Spider(Shop):
    name = "folder_tree"

    def parse_item(self, response):
        yield {
            "name": response.css("h1::text").get(),
            "file_urls": [response.urljoin(response.css("a").attrib["href"])],
        }
