import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultRoomVersion,
  isKnownRoomVersion,
  knownRoomVersions,
  proposedRoomVersions,
  roomVersion,
  UnknownRoomVersion,
  type RoomVersion,
} from './room-versions.ts';

/** The first version of which a flag is true, by "Room Versions" of the specification. */
const since: [flag: keyof RoomVersion, version: number][] = [
  ['strictKeyValidity', 5],
  ['enforceCanonicalJson', 6],
  ['limitNotificationsPowerLevels', 6],
  ['knocking', 7],
  ['restrictedJoins', 8],
  ['restrictedJoinsRedaction', 9],
  ['knockRestricted', 10],
  ['integerPowerLevels', 10],
  ['implicitRoomCreator', 11],
  ['updatedRedaction', 11],
  ['redactsInContent', 11],
  // Not of the specification, which has always said bytes: what servers have enforced.
  ['limitsInBytes', 11],
  ['roomIdIsCreateHash', 12],
  ['privilegedCreators', 12],
];
/** The last version of which a flag is true. */
const until: [flag: keyof RoomVersion, version: number][] = [
  ['redactionAuth', 2],
  ['aliasEventAuth', 5],
];

const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

test('versions 1 to 12 are known, and 12 is the default', () => {
  assert.deepEqual(knownRoomVersions, numbers.map(String));
  assert.equal(defaultRoomVersion, '12');
  assert.ok(isKnownRoomVersion('1'));
  for (const id of ['0', '13', '', 'constructor', '1.0']) {
    assert.ok(!isKnownRoomVersion(id), id);
    assert.throws(() => roomVersion(id), UnknownRoomVersion, id);
  }
});

test('each rule begins and ends with the version that says so', () => {
  for (const number of numbers) {
    const version = roomVersion(String(number));
    assert.equal(version.id, String(number));
    for (const [flag, first] of since) {
      assert.equal(version[flag], number >= first, `${flag} in ${number}`);
    }
    for (const [flag, last] of until) {
      assert.equal(version[flag], number <= last, `${flag} in ${number}`);
    }
  }
});

test('event ids and state resolution', () => {
  const of = <K extends keyof RoomVersion>(key: K) =>
    numbers.map((number) => roomVersion(String(number))[key]);
  const urlSafe = Array<string>(9).fill('urlsafe');
  assert.deepEqual(of('eventIdFormat'), ['explicit', 'explicit', 'base64', ...urlSafe]);
  const v2 = Array<string>(10).fill('v2');
  assert.deepEqual(of('stateResolution'), ['v1', ...v2, 'v2.1']);
});

test('proposed versions differ from those they are made of by their proposal only', () => {
  assert.deepEqual(proposedRoomVersions, ['org.matrix.msc3757.10', 'org.matrix.msc3757.11']);
  for (const id of proposedRoomVersions) {
    const base = roomVersion(id.split('.').at(-1)!);
    assert.deepEqual(roomVersion(id), { ...base, id, ownedState: true });
    assert.equal(base.ownedState, false);
  }
});

test('every flag is tested here', () => {
  const tested = [...since, ...until].map(([flag]) => flag).concat('ownedState');
  const flags = Object.entries(roomVersion('1'))
    .filter(([, value]) => typeof value === 'boolean')
    .map(([flag]) => flag);
  assert.deepEqual(tested.sort(), flags.sort());
});
