import { Type } from 'typebox';
import { clientPaths, endpoint, JsonText } from '../../http/endpoint.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../matrix/pdu.ts';
import { checkOwn, roomNidOf, type AccountDataServices } from '../services.ts';

const declare = endpoint<AccountDataServices>();
const runsOn = { group: 'account_data', balance: 'user' } as const;
const object = Type.Record(Type.String(), Type.Any());

/** The room account data that holds a room's tags. */
export const tagType = 'm.tag';

/** Spec: "Room Tagging". */
const tagBytesMax = 255;

function tagsIn(text: string | null): JsonObject {
  const { tags = {} } = (text === null ? {} : JSON.parse(text)) as { tags?: JsonObject };
  return tags;
}

const getRoomTags = declare({
  operation: 'getRoomTags',
  method: 'GET',
  paths: clientPaths('/user/:userId/rooms/:roomId/tags'),
  auth: 'user',
  runsOn,
  summary: "A room's tags",
  source: 'CS 1.19, getRoomTags',
  async handle({ params, requester }, services) {
    const { userId, roomId } = params;
    checkOwn(requester, userId!, 'tags');
    const roomNid = await roomNidOf(services, roomId!, requester);
    return { tags: tagsIn(await services.data.get(requester.userNid, roomNid, tagType)) };
  },
});

const tagPaths = clientPaths('/user/:userId/rooms/:roomId/tags/:tag');

const changeTag = (['PUT', 'DELETE'] as const).map((method) =>
  declare({
    operation: method === 'PUT' ? 'setRoomTag' : 'deleteRoomTag',
    method,
    paths: tagPaths,
    auth: 'user',
    runsOn,
    summary: method === 'PUT' ? 'Tags a room' : 'Takes a tag off a room',
    source: 'CS 1.19, setRoomTag, deleteRoomTag',
    errors: ['M_FORBIDDEN', 'M_INVALID_PARAM', 'M_NOT_FOUND'],
    body: object,
    bodyMode: 'optional',
    async handle({ params, body, requester }, services) {
      const { userId, roomId, tag } = params;
      checkOwn(requester, userId!, 'tags');
      if (method === 'PUT' && Buffer.byteLength(tag!) > tagBytesMax) {
        throw new MatrixError('M_INVALID_PARAM', `A tag may have ${tagBytesMax} bytes at most`);
      }
      const { userNid } = requester;
      const roomNid = await roomNidOf(services, roomId!, requester);
      await services.data.change(userNid, roomNid, tagType, (content) => {
        const { [tag!]: _before, ...others } = tagsIn(content);
        return JSON.stringify({ tags: method === 'PUT' ? { ...others, [tag!]: body } : others });
      });
      return {};
    },
  }),
);

const defineFilter = declare({
  operation: 'defineFilter',
  method: 'POST',
  paths: clientPaths('/user/:userId/filter', { also: ['v2_alpha'] }),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'Stores a filter',
  source: 'CS 1.19, defineFilter',
  body: object,
  errors: ['M_FORBIDDEN', 'M_BAD_JSON'],
  async handle({ params, body, requester }, { filters }) {
    checkOwn(requester, params['userId']!, 'filters');
    return { filter_id: await filters.add(requester.userNid, body) };
  },
});

const getFilter = declare({
  operation: 'getFilter',
  method: 'GET',
  paths: clientPaths('/user/:userId/filter/:filterId', { also: ['v2_alpha'] }),
  auth: 'guest',
  runsOn: { group: 'client', balance: 'user' },
  summary: 'A stored filter',
  source: 'CS 1.19, getFilter',
  errors: ['M_FORBIDDEN', 'M_NOT_FOUND'],
  async handle({ params, requester }, { filters }) {
    checkOwn(requester, params['userId']!, 'filters');
    return new JsonText(await filters.text(requester.userNid, params['filterId']!));
  },
});

export const tagAndFilterEndpoints = [getRoomTags, ...changeTag, defineFilter, getFilter];
