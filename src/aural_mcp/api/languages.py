"""The languages that the embedded backend's pages speak, and which of them somebody means."""

from __future__ import annotations

PAGES = ("en", "zh", "de", "fr", "es", "pt", "ja", "ar")
"""Codes of the complete ones."""
NAMES = {
    "en": "eng english",
    "zh": "zho chi cmn yue wuu hak nan chinese mandarin cantonese 中文 汉语 漢語",
    "de": "deu ger gsw german deutsch",
    "fr": "fra fre french français",
    "es": "spa spanish español castellano",
    "pt": "por portuguese português",
    "ja": "jpn japanese 日本語",
    "ar": "ara arb arz apc ary arabic العربية",
}
"""Other codes and names that mean them."""
MEANT = {name: code for code, names in NAMES.items() for name in (code, *names.split())}


def page_language(wanted: str | None) -> str | None:
    """The page's language for a code or name, whatever the region or script (`pt-PT`, `zh-Hant`); None without one."""
    first = (wanted or "en").strip().replace("_", "-").replace(" ", "-").split("-")[0]
    return MEANT.get(first.casefold())


def is_other_script(wanted: str | None) -> bool:
    """Whether somebody wants traditional Chinese: the pages are in simplified."""
    parts = {*(wanted or "").replace("_", "-").casefold().split("-")[1:]}
    return page_language(wanted) == "zh" and bool(parts & {"hant", "tw", "hk", "mo"})
