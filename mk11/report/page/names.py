"""Names of patients and images on the page: pseudonyms, unless the reader may know them."""

import re
from collections.abc import Callable

from mk11.runs.pseudonyms import Pseudonyms

# A path or name of a picture within a sentence: up to its quotes, or else up to white space.
SUFFIX = r"\.(?:png|jpe?g|tiff?|bmp|gif|webp)"
PICTURE = re.compile(
    rf"(?<=')[^'\n]+{SUFFIX}(?=')|(?<=\")[^\"\n]+{SUFFIX}(?=\")|[^\s'\"(),;:<>|]+{SUFFIX}\b", re.IGNORECASE
)


class Names:
    """How patients and images are called; `identify` shows the names that the data have."""

    def __init__(self, *, identify: bool) -> None:
        self.identify = identify
        pseudonyms = None if identify else Pseudonyms.load()
        self._image: Callable[[str], str] = str if pseudonyms is None else pseudonyms.image
        self._patient: Callable[[str], str] = str if pseudonyms is None else pseudonyms.patient

    def image(self, name: str) -> str:
        """Of an image."""
        return self._image(name)

    def patient(self, group: str) -> str:
        """Of a patient or other group; "" (unknown) stays."""
        return self._patient(group) if group else ""

    def sentence(self, text: str) -> str:
        """Free text, such as an error, without the file names of images."""
        return text if self.identify else PICTURE.sub(lambda found: self.image(found[0]), text)
