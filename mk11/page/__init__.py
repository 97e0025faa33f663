"""One self-contained HTML file: text escaped, pictures inside, tables that sort and filter, no network."""

from mk11.page.html import make_environment, write_page
from mk11.page.pictures import png_uri, svg_uri
from mk11.page.table import Cell, Column, Table

__all__ = ["Cell", "Column", "Table", "make_environment", "png_uri", "svg_uri", "write_page"]
