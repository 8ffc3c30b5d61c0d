import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDeviceUpdates } from './device-updates.ts';
import { userKeysOf } from './user-keys.ts';

const userId = '@alice:us.test';
const user = { pos: 7, userNid: 1, userId };
const keys = userKeysOf(userId, [
  { kind: 'device', id: 'PHONE', value: '{"algorithms":[]}', name: 'Alice’s phone' },
] as never);

const updates = (tellsDeviceNames: boolean) =>
  createDeviceUpdates(
    {
      at: async () => [{ pos: 7, isDevice: true, deviceId: 'PHONE', prevPos: 3 }],
    } as never,
    { of: async () => new Map([[1, keys]]) },
    { tellsDeviceNames },
  );

test('other servers are told the names of devices where that is allowed', async () => {
  const told = {
    user_id: userId,
    device_id: 'PHONE',
    stream_id: 7,
    prev_id: [3],
    keys: { algorithms: [] },
  };
  const edu = (content: object) => [{ edu_type: 'm.device_list_update', content }];
  assert.deepEqual(await updates(false).edus([user]), edu(told));
  const named = { ...told, device_display_name: 'Alice’s phone' };
  assert.deepEqual(await updates(true).edus([user]), edu(named));
});
