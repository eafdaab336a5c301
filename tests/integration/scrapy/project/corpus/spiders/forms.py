"""Forms and logging in."""

from __future__ import annotations

import scrapy
from scrapy.http import FormRequest

SHOP = "https://shop.test"


class Login(scrapy.Spider):
    name = "login"
    start_urls = [f"{SHOP}/login"]

    def parse(self, response):
        return FormRequest.from_response(
            response, formid="login", formdata={"user": "ann", "pass": "secret"}, callback=self.after, dont_filter=True
        )

    def after(self, response):
        yield {"url": response.url, "h1": response.css("h1::text").get()}


class Forms(scrapy.Spider):
    name = "forms"
    start_urls = [f"{SHOP}/login"]

    def parse(self, response):
        make = FormRequest.from_response
        yield make(response, formname="find", formdata={"q": "new"}, callback=self.sent)
        yield make(response, formnumber=1, formdata={"user": "bob"}, callback=self.page, meta={"n": 1})
        yield make(response, formcss="#login", clickdata={"name": "other"}, callback=self.page, meta={"n": 2})
        yield make(response, formxpath="//form[@id='login']", dont_click=True, callback=self.page, meta={"n": 3})
        yield make(response, formid="login", formdata={"keep": None, "text": "z"}, callback=self.page, meta={"n": 4})
        try:
            make(response, formcss="#none")
        except ValueError as error:
            yield {"error": str(error)}

    def sent(self, response):
        yield response.json()

    def page(self, response):
        yield {"n": response.meta["n"], "url": response.url}
