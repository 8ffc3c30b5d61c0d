import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalBus } from '../streams/bus.ts';
import { createServerAcls } from './server-acls.ts';
import type { StoredEvent } from './stored-event.ts';
import { eventStream, type EventRow } from './streams.ts';

function setUp() {
  const bus = createLocalBus({
    position: 0,
    ephemeralPosition: 0,
    onReaderError: (error) => assert.fail(String(error)),
  });
  const denied = new Map<number, string[]>();
  let asked = 0;
  let beforeAnswer: () => void = () => undefined;
  const acls = createServerAcls(
    {
      async entries(roomNid) {
        asked++;
        const deny = denied.get(roomNid);
        await Promise.resolve();
        beforeAnswer();
        const content = JSON.stringify({ allow: ['*'], deny });
        return deny ? [{ content } as StoredEvent] : [];
      },
    },
    bus,
  );
  const tell = (row: Partial<EventRow>, roomNid = 1) => {
    const event = { roomNid, type: 'm.room.message', stateKey: null, ...row.event };
    const whole = { changed: null, redacted: null, memberships: [], ...row, event } as EventRow;
    bus.publish([{ stream: eventStream, pos: bus.position() + 1, row: whole }]);
  };
  const acl = { type: 'm.room.server_acl', stateKey: '' } as StoredEvent;
  return {
    acls,
    denied,
    tell,
    acl,
    asked: () => asked,
    onAnswer: (call: () => void) => (beforeAnswer = call),
  };
}

test('a room is asked once, also one that lets everybody in', async () => {
  const { acls, denied, asked } = setUp();
  denied.set(2, ['evil.example']);
  assert.ok(await acls.allows(1, 'evil.example'));
  assert.ok(!(await acls.allows(2, 'evil.example:8448')));
  assert.ok(await acls.allows(2, 'good.example'));
  await acls.check(1, 'evil.example');
  const refused = { code: 'M_FORBIDDEN', status: 403 };
  await assert.rejects(acls.check(2, 'evil.example'), refused);
  assert.equal(asked(), 2);
});

test('changes are seen at once, however they come', async () => {
  const { acls, denied, tell, acl, asked } = setUp();
  const isAllowed = () => acls.allows(1, 'evil.example');
  assert.ok(await isAllowed());
  denied.set(1, ['evil.example']);
  tell({});
  tell({ event: { ...acl, stateKey: 'else' } });
  tell({ event: acl }, 2);
  assert.ok(await isAllowed(), 'nothing has been said of it');
  tell({ event: acl });
  assert.ok(!(await isAllowed()));
  denied.set(1, []);
  // Where forks meet, the event is another.
  tell({ changed: [['m.room.server_acl', '']] });
  assert.ok(await isAllowed());
  denied.set(1, ['*']);
  tell({ event: acl, changed: [] });
  assert.ok(await isAllowed(), 'it has not become part of the state');
  tell({ redacted: acl });
  assert.ok(!(await isAllowed()));
  assert.equal(asked(), 4);
});

test('what was read while it changed is not kept', async () => {
  const { acls, denied, tell, acl, onAnswer } = setUp();
  onAnswer(() => {
    onAnswer(() => undefined);
    denied.set(1, ['evil.example']);
    tell({ event: acl });
  });
  await acls.allows(1, 'evil.example');
  assert.ok(!(await acls.allows(1, 'evil.example')));
});
