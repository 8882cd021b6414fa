"""The assembler's bytes, held against the encoding in linux/bpf.h."""

import pytest

from netlab.observe.assembler import FRAME, R0, R1, Assembler, Helper


def test_a_program_jumps_over_what_it_skips() -> None:
    program = Assembler().move_wide(R1, 0x1122334455667788).jump_if(R1, "==", 7, "out").call(Helper.TAI).label("out").exit()
    assert program.code() == bytes.fromhex(
        "1801000088776655 0000000044332211 1501010007000000 85000000d0000000 b700000000000000 9500000000000000"
    )


def test_negative_values_and_offsets_are_signed() -> None:
    program = Assembler().store_value(8, FRAME, -8, -1).jump_if(R0, "!=", R1, "back").label("back").add(R1, -16)
    assert program.code() == bytes.fromhex("7a0af8ffffffffff 5d10000000000000 07010000f0ffffff")


def test_arithmetic_and_the_signed_and_the_bitwise_jump() -> None:
    program = Assembler().shift_left(R1, 3).and_value(R1, 0x38).multiply(R1, R0)
    program.jump_if(R1, "s<", 0, "out").jump_if(R1, "&", 4, "out").jump_if(R1, ">=", 9, "out").label("out").exit()
    assert program.code() == bytes.fromhex(
        "6701000003000000 5701000038000000 2f01000000000000 c501020000000000 4501010004000000 3501000009000000"
        "b700000000000000 9500000000000000"
    )


def test_a_label_stands_once() -> None:
    with pytest.raises(ValueError, match="'out' stands twice"):
        Assembler().label("out").label("out")
