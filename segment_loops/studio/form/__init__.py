"""The form of a mapping: one row for each field, which can be turned back into exactly the same mapping.

`sources` turns one definition into what a row shows and back; `rows` does that for a whole mapping. `results` adds the
value, problems and warnings of each row. `suggestions` offers paths of an event and directives while somebody types.
"""

from segment_loops.studio.form.rows import Form, InvalidRows, Row, form_of, mapping_of

__all__ = ["Form", "InvalidRows", "Row", "form_of", "mapping_of"]
