import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import { pushRulesType } from '../entries.ts';
import { checkOwn, roomNidOf, type AccountDataServices } from '../services.ts';

const declare = endpoint<AccountDataServices>();
const runsOn = { group: 'account_data', balance: 'user' } as const;
const content = Type.Record(Type.String(), Type.Any());

const globalPaths = clientPaths('/user/:userId/account_data/:type', {
  also: ['unstable/org.matrix.msc3391'],
});
const roomPaths = clientPaths('/user/:userId/rooms/:roomId/account_data/:type', {
  also: ['unstable/org.matrix.msc3391'],
});

/** Kept by other endpoints. */
function checkMayWrite(type: string): void {
  if (type === pushRulesType || type === 'm.fully_read') {
    throw new MatrixError('M_BAD_JSON', `Cannot set ${type} through this API`, { status: 405 });
  }
}

/** What is stored of a content; null, which deletes, where that is what an empty one means (MSC3391). */
const kept = ({ emptyDeletes }: AccountDataServices, body: object) =>
  emptyDeletes && Object.keys(body).length === 0 ? null : JSON.stringify(body);

const notFound = () => new MatrixError('M_NOT_FOUND', 'Account data not found');

const setAccountData = declare({
  operation: 'setAccountData',
  method: 'PUT',
  paths: globalPaths,
  auth: 'user',
  runsOn,
  summary: 'Keeps something for the user',
  source: 'CS 1.19, setAccountData',
  body: content,
  errors: ['M_FORBIDDEN', 'M_BAD_JSON'],
  async handle({ params, body, requester }, services) {
    const { userId, type } = params;
    checkOwn(requester, userId!, 'account data');
    checkMayWrite(type!);
    await services.data.set(requester.userNid, 0, type!, kept(services, body));
    return {};
  },
});

const getAccountData = declare({
  operation: 'getAccountData',
  method: 'GET',
  paths: globalPaths,
  auth: 'user',
  runsOn,
  summary: 'Something kept for the user',
  source: 'CS 1.19, getAccountData',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, requester }, { data }) {
    const { userId, type } = params;
    checkOwn(requester, userId!, 'account data');
    if (type === pushRulesType) {
      return { global: await data.ruleset(requester) };
    }
    const text = await data.get(requester.userNid, 0, type!);
    if (text === null) throw notFound();
    return new JsonText(text);
  },
});

const deleteAccountData = declare({
  operation: 'deleteAccountData',
  method: 'DELETE',
  paths: globalPaths,
  auth: 'user',
  runsOn,
  summary: 'Forgets something kept for the user',
  source: 'MSC3391',
  bodyMode: 'none',
  async handle({ params, requester }, { data }) {
    const { userId, type } = params;
    checkOwn(requester, userId!, 'account data');
    checkMayWrite(type!);
    await data.set(requester.userNid, 0, type!, null);
    return {};
  },
});

const setRoomAccountData = declare({
  operation: 'setAccountDataPerRoom',
  method: 'PUT',
  paths: roomPaths,
  auth: 'user',
  runsOn,
  summary: 'Keeps something for the user about a room',
  source: 'CS 1.19, setAccountDataPerRoom',
  body: content,
  errors: ['M_FORBIDDEN', 'M_BAD_JSON', 'M_NOT_FOUND'],
  async handle({ params, body, requester }, services) {
    const { userId, roomId, type } = params;
    checkOwn(requester, userId!, 'account data');
    checkMayWrite(type!);
    const roomNid = await roomNidOf(services, roomId!, requester);
    await services.data.set(requester.userNid, roomNid, type!, kept(services, body));
    return {};
  },
});

const getRoomAccountData = declare({
  operation: 'getAccountDataPerRoom',
  method: 'GET',
  paths: roomPaths,
  auth: 'user',
  runsOn,
  summary: 'Something kept for the user about a room',
  source: 'CS 1.19, getAccountDataPerRoom',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, requester }, services) {
    const { userId, roomId, type } = params;
    checkOwn(requester, userId!, 'account data');
    const roomNid = await roomNidOf(services, roomId!, requester);
    const text = await services.data.get(requester.userNid, roomNid, type!);
    if (text === null) throw notFound();
    return new JsonText(text);
  },
});

const deleteRoomAccountData = declare({
  operation: 'deleteAccountDataPerRoom',
  method: 'DELETE',
  paths: roomPaths,
  auth: 'user',
  runsOn,
  summary: 'Forgets something kept for the user about a room',
  source: 'MSC3391',
  bodyMode: 'none',
  async handle({ params, requester }, services) {
    const { userId, roomId, type } = params;
    checkOwn(requester, userId!, 'account data');
    checkMayWrite(type!);
    const roomNid = await roomNidOf(services, roomId!, requester);
    await services.data.set(requester.userNid, roomNid, type!, null);
    return {};
  },
});

export const accountDataEndpoints = [
  setAccountData,
  getAccountData,
  deleteAccountData,
  setRoomAccountData,
  getRoomAccountData,
  deleteRoomAccountData,
];
