import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  EventType,
  KnownMembership,
  MatrixEventEvent,
  Preset,
  type MatrixClient,
  type MatrixEvent,
} from 'matrix-js-sdk';
import {
  CryptoEvent,
  VerificationPhase,
  VerificationRequestEvent,
  VerifierEvent,
  type VerificationRequest,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import {
  registerAccount,
  startEncryptedDevice,
  type SdkAccount,
} from '../harness/encrypted-sdk.ts';
import { until } from '../harness/sdk.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let server: TestServer;
const devices: MatrixClient[] = [];

before(async () => {
  server = await startTestServer();
});
after(async () => {
  for (const device of devices) device.stopClient();
  await server.close();
});

async function newDevice(account: SdkAccount): Promise<MatrixClient> {
  const device = await startEncryptedDevice(server.url, account);
  devices.push(device);
  return device;
}

async function newUser(prefix: string): Promise<{ account: SdkAccount; device: MatrixClient }> {
  const account = await registerAccount(server.url, prefix);
  return { account, device: await newDevice(account) };
}

const idOf = (client: MatrixClient) => client.getUserId()!;

/** Of some things the SDK does not say when they are done. */
async function untilTrue(isDone: () => Promise<boolean>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  while (!(await isDone())) await pause(20);
}

/** An encrypted room with all of them in it, each of whom knows so. */
async function encryptedRoom(creator: MatrixClient, ...others: MatrixClient[]): Promise<string> {
  const { room_id: roomId } = await creator.createRoom({
    preset: Preset.PrivateChat,
    invite: others.map(idOf),
    initial_state: [
      {
        type: EventType.RoomEncryption,
        state_key: '',
        content: { algorithm: 'm.megolm.v1.aes-sha2' },
      },
    ],
  });
  await Promise.all(
    others.map(async (other) => {
      await until(other, () => other.getRoom(roomId)?.getMyMembership() === KnownMembership.Invite);
      await other.joinRoom(roomId);
    }),
  );
  await Promise.all(
    [creator, ...others].map((client) =>
      until(
        client,
        () =>
          client.getRoom(roomId)?.getJoinedMemberCount() === others.length + 1 &&
          client.getRoom(roomId)!.hasEncryptionStateEvent(),
      ),
    ),
  );
  return roomId;
}

/** Resolves with the text of a message, once it is there and decrypted. */
async function read(client: MatrixClient, roomId: string, eventId: string): Promise<string> {
  let event: MatrixEvent | undefined;
  await until(client, () => {
    event = client.getRoom(roomId)?.findEventById(eventId);
    return event !== undefined;
  });
  const found = event!;
  const isReadable = () => found.isEncrypted() && found.getClearContent() !== null;
  while (!isReadable() || found.isDecryptionFailure()) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => found.once(MatrixEventEvent.Decrypted, resolve));
  }
  assert.equal(found.getWireType(), EventType.RoomMessageEncrypted, 'it was sent encrypted');
  return found.getContent()['body'] as string;
}

async function send(client: MatrixClient, roomId: string, text: string): Promise<string> {
  return (await client.sendTextMessage(roomId, text)).event_id;
}

test('three users read each other in an encrypted room', { timeout: 120_000 }, async () => {
  const users = await Promise.all(['alice', 'bob', 'carol'].map(newUser));
  const [alice, bob, carol] = users.map(({ device }) => device);
  assert.ok(alice && bob && carol);
  const roomId = await encryptedRoom(alice, bob, carol);
  const all = [alice, bob, carol];
  for (const sender of all) {
    // One after the other: each adds to what the others have to keep up with.
    // oxlint-disable-next-line no-await-in-loop
    const eventId = await send(sender, roomId, `from ${idOf(sender)}`);
    // oxlint-disable-next-line no-await-in-loop
    const texts = await Promise.all(all.map((reader) => read(reader, roomId, eventId)));
    assert.deepEqual(new Set(texts), new Set([`from ${idOf(sender)}`]));
  }
});

/** Claims keys of a device until there is only the fallback key; gives their number. */
async function exhaustKeys(by: MatrixClient, of: MatrixClient): Promise<number> {
  for (let count = 0; ; count++) {
    // oxlint-disable-next-line no-await-in-loop
    const { one_time_keys: keys } = await by.claimOneTimeKeys(
      [[idOf(of), of.getDeviceId()!]],
      'signed_curve25519',
    );
    const [key] = Object.values(keys[idOf(of)]![of.getDeviceId()!]!);
    if ('fallback' in key!) return count;
  }
}

test(
  'without one-time keys the fallback key is used, then replaced',
  { timeout: 120_000 },
  async () => {
    const [{ device: alice }, { device: bob }] = await Promise.all([
      newUser('alice'),
      newUser('bob'),
    ]);
    const roomId = await encryptedRoom(alice, bob);
    assert.ok((await exhaustKeys(alice, bob)) > 10);
    const eventId = await send(alice, roomId, 'with the fallback key');
    assert.equal(await read(bob, roomId, eventId), 'with the fallback key');
    while ((await exhaustKeys(alice, bob)) === 0) {
      // Each message lets the client see how few keys it has.
      // oxlint-disable-next-line no-await-in-loop
      await send(alice, roomId, 'more keys, please');
    }
  },
);

const inPhase = (request: VerificationRequest, phase: VerificationPhase) =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (request.phase !== phase) return;
      request.off(VerificationRequestEvent.Change, look);
      resolve();
    };
    request.on(VerificationRequestEvent.Change, look);
    look();
  });

/**
 * The SDK refers to a verification weakly. Only the test holds it, and only a promise that the verification
 * would resolve holds the test: the garbage collector takes all of it, unless it can be reached from here.
 */
const verifications: VerificationRequest[] = [];

/** Two devices compare emoji, which are always found to be the same. */
async function verify(one: MatrixClient, other: MatrixClient): Promise<void> {
  const received = new Promise<VerificationRequest>((resolve) => {
    other.once(CryptoEvent.VerificationRequestReceived, resolve);
  });
  const asking = await one
    .getCrypto()!
    .requestDeviceVerification(idOf(other), other.getDeviceId()!);
  const asked = await received;
  verifications.push(asking, asked);
  await asked.accept();
  await inPhase(asking, VerificationPhase.Ready);
  const first = await asking.startVerification('m.sas.v1');
  await inPhase(asked, VerificationPhase.Started);
  const second = asked.verifier!;
  for (const verifier of [first, second]) {
    verifier.on(VerifierEvent.ShowSas, (sas) => void sas.confirm());
  }
  await Promise.all([first.verify(), second.verify()]);
  await Promise.all([
    inPhase(asking, VerificationPhase.Done),
    inPhase(asked, VerificationPhase.Done),
  ]);
}

test(
  'a device verifies another of its user, and others see that',
  { timeout: 120_000 },
  async () => {
    const [alice, bob] = await Promise.all([newUser('alice'), newUser('bob')]);
    const crypto = alice.device.getCrypto()!;
    await crypto.bootstrapCrossSigning({
      async authUploadDeviceSigningKeys(upload) {
        await upload(null);
      },
    });
    await encryptedRoom(alice.device, bob.device);
    const second = await newDevice(alice.account);
    const secondId = second.getDeviceId()!;
    const aliceId = idOf(alice.device);
    const statusFor = (client: MatrixClient) =>
      client.getCrypto()!.getDeviceVerificationStatus(aliceId, secondId);
    const isListed = async (client: MatrixClient, deviceId = secondId) => {
      const known = await client.getCrypto()!.getUserDeviceInfo([aliceId], true);
      return known.get(aliceId)?.has(deviceId) === true;
    };
    await untilTrue(async () => (await isListed(alice.device)) && isListed(bob.device));
    // A request from a device that the client does not know yet is dropped by it.
    await untilTrue(() => isListed(second, alice.device.getDeviceId()!));
    assert.equal((await statusFor(bob.device))?.signedByOwner, false);
    await verify(alice.device, second);
    await untilTrue(async () => {
      await isListed(bob.device);
      return (await statusFor(bob.device))?.signedByOwner === true;
    });
    assert.equal((await statusFor(alice.device))?.isVerified(), true);
  },
);

test('a device that is lost and replaced', { timeout: 120_000 }, async () => {
  const [alice, bob] = await Promise.all([newUser('alice'), newUser('bob')]);
  const roomId = await encryptedRoom(alice.device, bob.device);
  const early = await send(alice.device, roomId, 'early');
  assert.equal(await read(bob.device, roomId, early), 'early');

  const lost = bob.device.getDeviceId()!;
  bob.device.stopClient();
  await bob.device.logout();
  const replacement = await newDevice(bob.account);
  const crypto = alice.device.getCrypto()!;
  const bobId = idOf(bob.device);
  const knows = async () => {
    const known = (await crypto.getUserDeviceInfo([bobId])).get(bobId);
    return known?.has(replacement.getDeviceId()!) === true && !known.has(lost);
  };
  await untilTrue(knows);
  const late = await send(alice.device, roomId, 'late');
  assert.equal(await read(replacement, roomId, late), 'late');
  const answer = await send(replacement, roomId, 'here again');
  assert.equal(await read(alice.device, roomId, answer), 'here again');
});
