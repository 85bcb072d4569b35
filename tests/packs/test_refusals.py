"""What bad input gets: file, line and field named, nothing changed."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.packs.support import (
    BLOCK,
    ENDORSEMENTS,
    HOME,
    SHORE,
    SITE,
    STAKEHOLDERS,
    WELLS,
    desk,
    picture,
    small_pack,
)

pytestmark = pytest.mark.anyio

# Each with the changes to the small pack, and how the lines of the refusal begin.
BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": (
        {"campaigns/wells.md": WELLS.replace("title =", "titel =")},
        [
            "campaigns/wells.md:2: titel is not a field; did you mean title?",
            "campaigns/wells.md:2: title: is missing",
        ],
    ),
    "unknown key without a likeness": (
        {"redirects.csv": "from_path,to_path,zzz\n/a/,/b/,1\n"},
        ["redirects.csv:2: zzz is not a field; the fields are from_path, to_path, status"],
    ),
    "bad slug": (
        {"campaigns/Wells_2.md": SHORE},
        ["campaigns/Wells_2.md: is not a good file name; it must be lower-case letters, digits and single "],
    ),
    "bad block name": (
        {"blocks/1-water.md": BLOCK},
        ["blocks/1-water.md: is not a good file name; it must be two digits and a slug, such as 01-water.md"],
    ),
    "the same title twice": (
        {"campaigns/twin.md": SHORE},
        ["campaigns/twin.md: title: is the same as in campaigns/shore.md; write another"],
    ),
    "the same block twice": (
        {"blocks/02-water.md": BLOCK},
        ["blocks/02-water.md: has the same name as blocks/01-water.md; only the number differs"],
    ),
    "broken front matter": (
        {"campaigns/wells.md": '+++\ntitle = "x"\nsummary = "y\n+++\n'},
        ["campaigns/wells.md:3: is not TOML: Illegal character '\\n'"],
    ),
    "no front matter": (
        {"campaigns/wells.md": "# Wells\n"},
        ["campaigns/wells.md:1: must start with a line +++ and the fields"],
    ),
    "front matter without an end": (
        {"campaigns/wells.md": '+++\ntitle = "x"\n'},
        ["campaigns/wells.md:1: has no second line +++ that ends the fields"],
    ),
    "a row with too many values": (
        {"redirects.csv": "from_path,to_path\n/a/,/b/\n/c/,/d/,301\n"},
        ["redirects.csv:3: has 3 values where the header has 2 columns"],
    ),
    "an open quote": (
        {"redirects.csv": 'from_path,to_path\n/a/,"/b/\n'},
        ["redirects.csv:2: is not CSV: unexpected end of data"],
    ),
    "a header with a column twice": (
        {"redirects.csv": "from_path,to_path,to_path\n"},
        ["redirects.csv:1: names a column twice"],
    ),
    "no header": (
        {"redirects.csv": ""},
        ["redirects.csv:1: has no header row; the columns are from_path, to_path, status"],
    ),
    "invalid UTF-8": (
        {"campaigns/wells.md": b'+++\ntitle = "x\xff"\n+++\n'},
        ["campaigns/wells.md:2: byte 14 (0xff) is not UTF-8; save the file as UTF-8"],
    ),
    "NUL": (
        {"blocks/01-water.md": "+++\n+++\n\na\0b\n"},
        ["blocks/01-water.md:4: holds a NUL character; remove it"],
    ),
    "NUL by escape": (
        {"blocks/01-water.md": '+++\ntitle = "a\\u0000b"\n+++\n'},
        ["blocks/01-water.md:2: title: must not hold a NUL character"],
    ),
    "a missing image": (
        {"blocks/01-water.md": BLOCK.replace("shore", "shor")},
        ["blocks/01-water.md:4: image_url: there is no media/shor.webp in the pack; "],
    ),
    "a missing image in a body": (
        {"campaigns/wells.md": WELLS + "\n![Reeds](media/none.png)\n"},
        ["campaigns/wells.md:13: body: there is no media/none.png in the pack; "],
    ),
    "an image that is none": (
        {"media/shore.webp": b"<svg></svg>"},
        ["media/shore.webp: is not a PNG, JPEG or WebP picture"],
    ),
    "a gif": (
        {"media/shore.webp": picture(kind="GIF")},
        ["media/shore.webp: is not a PNG, JPEG or WebP picture"],
    ),
    "half an image": (
        {"media/shore.webp": picture(200, 200, "PNG")[:60]},
        ["media/shore.webp: is a damaged picture: "],
    ),
    "a picture that media.csv alone knows": (
        {"media.csv": "filename\nother.webp\n"},
        ["media.csv:2: filename: there is no media/other.webp in the pack"],
    ),
    "a picture named twice": (
        {"media.csv": "filename\nshore.webp\nshore.webp\n"},
        ["media.csv:3: filename: names shore.webp twice"],
    ),
    "a picture in a folder": (
        {"media/more/reeds.webp": picture()},
        ["media/more/reeds.webp: is not a good file name; use letters, digits, dots and hyphens, "],
    ),
    "a latitude of 91": (
        {"stakeholders.csv": STAKEHOLDERS.replace("39.3905", "91")},
        ["stakeholders.csv:2: latitude: must be a number from -90 to 90, not '91'"],
    ),
    "a latitude that is no number": (
        {"stakeholders.csv": STAKEHOLDERS.replace("39.3905", "nan")},
        ["stakeholders.csv:2: latitude: must be a number from -90 to 90, not 'nan'"],
    ),
    "a latitude alone": (
        {"stakeholders.csv": STAKEHOLDERS.replace("-76.5411", "")},
        ["stakeholders.csv:2: longitude: is missing; write latitude and longitude, or neither"],
    ),
    "an unknown kind of stakeholder": (
        {"stakeholders.csv": STAKEHOLDERS.replace("business", "company")},
        ["stakeholders.csv:2: stakeholder_type: must be one of farmer, waterman, business, nonprofit, "],
    ),
    "nobody": (
        {"stakeholders.csv": STAKEHOLDERS.replace("Greta,Holloway", ",")},
        ["stakeholders.csv:3: last_name: is missing; write first_name, last_name or both"],
    ),
    "somebody twice": (
        {"stakeholders.csv": STAKEHOLDERS + "M,C,,other,MEI@wells.example,,,true\n"},
        ["stakeholders.csv:4: lists mei@wells.example twice"],
    ),
    "an unknown block type": (
        {"blocks/01-water.md": BLOCK.replace('"image"', '"video"')},
        ["blocks/01-water.md:3: block_type: must be one of text, image, text_image, quote, not 'video'"],
    ),
    "an endorsement of an unknown campaign": (
        {"endorsements.csv": ENDORSEMENTS.replace("wells,,", "welles,,")},
        ["endorsements.csv:3: campaign: there is no campaign welles; write the slug of one"],
    ),
    "an endorsement by nobody": (
        {"endorsements.csv": ENDORSEMENTS.replace("Greta", "Gret")},
        ["endorsements.csv:3: stakeholder: Gret Holloway| is not in stakeholders.csv; "],
    ),
    "an endorsement twice": (
        {"endorsements.csv": ENDORSEMENTS + "mei@wells.example,wells,,true,\n"},
        ["endorsements.csv:4: mei@wells.example endorses wells twice"],
    ),
    "a time without an offset": (
        {"endorsements.csv": ENDORSEMENTS.replace("18:00:00-05:00", "18:00:00")},
        ["endorsements.csv:3: created_at: must be a time with its offset, such as 2026-03-01T12:00:00Z"],
    ),
    "a date for a time": (
        {"campaigns/wells.md": WELLS.replace("2027-02-26T23:59:00-05:00", "2027-02-26")},
        ["campaigns/wells.md:5: closes_at: must be a time with its offset, such as 2026-03-01T12:00:00Z"],
    ),
    "a target of none": (
        {"campaigns/wells.md": WELLS.replace("30", "0", 1)},
        ["campaigns/wells.md:4: target_count: must be a whole number above 0, not 0"],
    ),
    "an unknown file": (
        {"campaigns/notes.txt": "x", "posts/one.md": SHORE},
        [
            "campaigns/notes.txt: is not a good file name; it must be lower-case letters, digits and single ",
            "posts/one.md: is not a file that a pack may hold; rename or remove it",
        ],
    ),
    "files in folders where none belong": (
        {"campaigns/deep/x.md": SHORE, "blocks/deep/01-x.md": BLOCK},
        ["blocks/deep/01-x.md: is not a file that", "campaigns/deep/x.md: is not a file that"],
    ),
    "bad names of translations": (
        {"homepage.German.toml": HOME, "pages/about.DE.md": SHORE},
        [
            "homepage.German.toml: is not a good file name; it must be homepage.toml, or homepage.de.toml",
            "pages/about.DE.md: is not a good file name; it must be lower-case letters",
        ],
    ),
    "words about a picture without a name": (
        {"media.csv": "filename,alt_text\n,Reeds\n"},
        ["media.csv:2: filename: is missing"],
    ),
    "numbers that no column holds": (
        {
            "pages/about.md": '+++\ntitle = "x"\nposition = 3000000000\n+++\n',
            "campaigns/wells.md": WELLS.replace("30", "99999999999999999999999", 1),
        },
        [
            "campaigns/wells.md:4: target_count: must be a whole number above 0, not 9999",
            "pages/about.md:3: position: must be a whole number below 2,147,483,648, not 3000000000",
        ],
    ),
    "a redirect to itself": (
        {"redirects.csv": "from_path,to_path\n/a/,/a/\n/a/,/b/\n"},
        ["redirects.csv:2: to_path: leads to itself", "redirects.csv:3: from_path: redirects /a/ twice"],
    ),
    "a redirect to elsewhere": (
        {"redirects.csv": "from_path,to_path\n/a/,//evil.example/\n"},
        ["redirects.csv:2: to_path: must be a path of this site that starts with a slash, "],
    ),
    "a page without a parent": (
        {"pages/about.md": None, "pages/about.blocks/01-start.md": None},
        ["pages/about/team.md: has no page above it: add pages/about.md"],
    ),
    "a page in another's place": (
        {"pages/campaigns.md": '+++\ntitle = "x"\n+++\n'},
        ["pages/campaigns.md: cannot be called campaigns: something else answers at /campaigns/"],
    ),
    "blocks of nothing": (
        {"campaigns/well.blocks/01-a.md": BLOCK},
        ["campaigns/well.blocks/01-a.md: is a block of nothing: what it stands on is not there in en"],
    ),
    "a translation of nothing": (
        {"campaigns/salt.de.md": SHORE, "homepage.de.toml": HOME, "blocks/02-x.de.md": BLOCK},
        [
            "blocks/02-x.de.md: translates nothing: there is no such file without .de",
            "campaigns/salt.de.md: translates nothing: there is no such file without .de",
        ],
    ),
    "a translation into the site's own language": (
        {"campaigns/wells.en.md": SHORE.replace("living", "loving")},
        ["campaigns/wells.en.md: is in the site's own language; rename it without .en"],
    ),
    "a site with bad values": (
        {
            "site.toml": 'slug = "River"\nname = " "\nkind = "club"\n'
            'hosts = ["a b"]\nbase_url = "river.example"\n'
            'locale = "English"\ncontact_email = "office"\n[theme]\nprimary = "blue"\n[[navigation]]\n'
            'label = "x"\nurl = "javascript:alert(1)"\nclass = "y"\n[[navigation]]\nlabel = 3\n'
        },
        [
            "site.toml:1: slug: must be lower-case letters, digits and single hyphens, at most 100",
            "site.toml:2: name: must be text that is not empty",
            "site.toml:3: kind: must be one of organization, city, department, not 'club'",
            "site.toml:4: hosts: must be a list of a host such as www.example.org, not list",
            "site.toml:5: base_url: must be scheme and host without a slash at the end, ",
            "site.toml:6: locale: must be a language such as en or pt-BR, not 'English'",
            "site.toml:7: contact_email: must be an e-mail address such as info@example.org, not 'office'",
            "site.toml:9: theme.primary: must be a colour such as #0b5563, in lower-case letters, not 'blue'",
            "site.toml:12: navigation.0.url: must be a link that starts with /, https:// or mailto:, ",
            "site.toml:13: class is not a field; the fields are label, url",
            "site.toml:14: navigation.1.url: is missing",
            "site.toml:15: navigation.1.label: must be text that is not empty",
        ],
    ),
    "a language that nobody speaks": (
        {"site.toml": SITE.replace("timezone =", 'locale = "xx"\ntimezone =')},
        ["site.toml:4: locale: 'xx' is no language whose dates and numbers are known; write one such as en"],
    ),
    "a place that no clock knows": (
        {"site.toml": SITE.replace("New_York", "Baltimore").replace('["', '["www.river.example", "')},
        [
            "site.toml:3: hosts: names a host twice",
            "site.toml:4: timezone: 'America/Baltimore' is not a time zone; write one such as ",
        ],
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_named_by_file_line_and_field_and_changes_nothing(
    name: str, shared_database: Database, tmp_path: Path
) -> None:
    changes, expected = BAD[name]
    pack = small_pack(tmp_path, changes)
    async with desk(shared_database.url()) as at:
        found = await at.problems(pack)
        assert len(found) == len(expected), found
        assert [line.startswith(wanted) for line, wanted in zip(found, expected, strict=True)] == [
            True for _ in expected
        ], found
        assert await at.connection.fetch("SELECT FROM site_directory()") == []


async def test_many_problems_are_counted_and_the_first_fifty_shown(
    shared_database: Database, tmp_path: Path
) -> None:
    many = {f"campaigns/c{number:02d}.md": "+++\n+++\n" for number in range(40)}
    async with desk(shared_database.url()) as at:
        found = await at.problems(small_pack(tmp_path, many))
        assert len(found) == 51
        assert found[-1] == "... and 30 more problems."
