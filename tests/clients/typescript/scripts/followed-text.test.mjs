// The text of a followed task, from pieces whose offsets count code points.
import assert from 'node:assert/strict';
import test from 'node:test';
import { FollowedText } from './node_modules/oxide-client/dist/followed-text.js';

function textOf(...pieces) {
  const followed = new FollowedText();
  for (const [offset, text] of pieces) followed.take({ offset, text });
  return String(followed);
}

test('pieces follow one another', () => {
  assert.equal(textOf([0, 'Quan'], [4, 'tum']), 'Quantum');
});

test('a piece that comes twice stands there once', () => {
  assert.equal(textOf([0, 'Quan'], [4, 'tum'], [4, 'tum'], [0, 'Quantum']), 'Quantum');
});

test('another service begins anew', () => {
  assert.equal(textOf([0, 'Quan'], [4, 'tum'], [0, 'A qubit']), 'A qubit');
});

test('a character that takes two places in a string counts once', () => {
  assert.equal(textOf([0, '😀😀'], [2, 'ab'], [3, 'c']), '😀😀ac');
});

test('a text whose beginning was not heard begins where it was', () => {
  assert.equal(textOf([10, 'tum'], [13, ' bits'], [12, 'm!']), 'tum!');
  assert.equal(textOf([0, 'Quan'], [9, 'bits']), 'bits');
});
