import assert from "node:assert/strict";
import { test } from "node:test";
import { bareWord } from "./words.js";

test("disconnect is taken as people send it", () => {
  for (const text of ["disconnect", "*disconnect*", "Disconnect.", "_DISCONNECT_", "“disconnect”", " 'disconnect'.\n"]) {
    assert.equal(bareWord(text), "disconnect", text);
  }
});

test("a sentence with disconnect in it is no command", () => {
  assert.equal(bareWord("don't disconnect"), "don't disconnect");
});
