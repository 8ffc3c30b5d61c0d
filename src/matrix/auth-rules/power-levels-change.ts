import { isUserId } from '../ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../pdu.ts';
import { creatorsOf, levelOf } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import type { RuleContext } from './context.ts';
import { require, requireForm } from './not-authorised.ts';

const topLevel = [
  'users_default',
  'events_default',
  'state_default',
  'ban',
  'redact',
  'kick',
  'invite',
];

const objectOf = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});

function checkShape({ version, pdu, create }: RuleContext): void {
  const { content } = pdu;
  const isLevel = (value: JsonValue) => levelOf(version, value) !== null;
  for (const key of topLevel) {
    const value = content[key];
    requireForm(value === undefined || isLevel(value), `${key} is not an integer`);
  }
  for (const key of ['events', 'notifications']) {
    const value = content[key];
    if (value === undefined || !version.integerPowerLevels) continue;
    requireForm(
      isJsonObject(value) && Object.values(value).every(isLevel),
      `${key} must be an object of integers`,
    );
  }
  const users = content['users'];
  if (users === undefined) return;
  requireForm(isJsonObject(users), 'users must be an object');
  for (const [userId, level] of Object.entries(users)) {
    requireForm(isUserId(userId), `${userId} is not a user id`);
    requireForm(isLevel(level), `the level of ${userId} is not an integer`);
  }
  for (const creator of creatorsOf(version, create)) {
    requireForm(!Object.hasOwn(users, creator), `${creator} is a creator and has no power level`);
  }
}

interface Change {
  before: number | null;
  after: number | null;
}

function changesOf(version: RoomVersion, before: JsonObject, after: JsonObject) {
  const changes = new Map<string, Change>();
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const change = {
      before: Object.hasOwn(before, key) ? levelOf(version, before[key]) : null,
      after: Object.hasOwn(after, key) ? levelOf(version, after[key]) : null,
    };
    if (change.before !== change.after) changes.set(key, change);
  }
  return changes;
}

const pick = (content: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(
    keys.filter((key) => content[key] !== undefined).map((key) => [key, content[key]!]),
  );

/** Rule for m.room.power_levels: nobody gives or takes more than they have. */
export function checkPowerLevelsChange(context: RuleContext): void {
  checkShape(context);
  const { version, pdu, state, powerLevels } = context;
  const current = state.get('m.room.power_levels', '')?.pdu.content;
  if (!current) return;
  const own = powerLevels.userLevel(pdu.sender);
  const { content } = pdu;

  const limit = (changes: Map<string, Change>, what: string) => {
    for (const [key, { before, after }] of changes) {
      const isWithin = (before === null || before <= own) && (after === null || after <= own);
      require(isWithin, `You don't have permission to change ${what} ${key} beyond your own level`);
    }
  };
  limit(changesOf(version, pick(current, topLevel), pick(content, topLevel)), 'the level');
  limit(changesOf(version, objectOf(current['events']), objectOf(content['events'])), 'events');
  if (version.limitNotificationsPowerLevels) {
    const before = objectOf(current['notifications']);
    limit(changesOf(version, before, objectOf(content['notifications'])), 'notifications');
  }
  const users = changesOf(version, objectOf(current['users']), objectOf(content['users']));
  for (const [userId, { before, after }] of users) {
    const mayTake = before === null || before < own || userId === pdu.sender;
    require(mayTake, `You don't have permission to remove level of ${userId}, equal to your own`);
    require(after === null || after <= own, `You cannot give ${userId} more than your own level`);
  }
}
