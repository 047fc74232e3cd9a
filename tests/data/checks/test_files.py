"""What a check of the files finds, and how it names what it finds."""

from capnet.data.checks.examine import Facts
from capnet.data.checks.files import UNUSABLE, check_files
from tests.data.trees import record


def test_names_of_unusable_files_do_not_count_as_copies():
    records = [record("train", 1, 1), record("gallery", 3, 2)]
    facts = {r.path: Facts(fault=next(iter(UNUSABLE)), reason="why") for r in records}
    assert [finding.check for finding in check_files(records, facts)] == ["unreadable"]


def test_many_copies_of_one_image_are_not_all_named():
    records = [record("gallery", 3, 2, f"_{number}") for number in range(40)]
    facts = {r.path: Facts("same", 64, 128, "RGB") for r in records}
    (finding,) = check_files(records, facts)
    assert finding.check == "repeated_images"
    assert "_2.jpg = 37 more" in finding.text
    assert "_3.jpg" not in finding.text
