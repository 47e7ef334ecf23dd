"""A panic of a library in Rust raises, and prints nothing."""

import json
import os
import threading

import pytest

from cutaway.files.panics import silent_panics


def panic():
    """That of a tokenizer whose merges do not fit its vocabulary."""
    import tokenizers

    model = {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"], "unk_token": None}
    model |= {"continuing_subword_prefix": "##"}
    tokenizers.Tokenizer.from_str(json.dumps({"version": "1.0", "model": model}))


def test_a_panic_raises_and_prints_nothing_but_what_others_wrote(capfd):
    with pytest.raises(BaseException, match=r"slice|index") as caught:
        panic()
    if type(caught.value).__name__ != "PanicException":
        pytest.skip("this version of tokenizers does not panic")
    assert "panicked at" in capfd.readouterr().err
    with pytest.raises(BaseException, match=r"slice|index"), silent_panics():
        os.write(2, b"before\n")
        panic()
    assert capfd.readouterr().err == "before\n"


def test_what_is_written_meanwhile_appears_at_the_end_also_of_nested_and_parallel_uses(capfd):
    with silent_panics():
        with silent_panics():
            os.write(2, b"inner\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "inner\n"

    def work(number):
        for _ in range(50):
            with silent_panics():
                os.write(2, b"%d" % number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"!")
    written = capfd.readouterr().err
    assert len(written) == 201 and written[-1] == "!" and written.count("3") == 50
