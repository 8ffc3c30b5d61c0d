import { flag, text } from './kinds.ts';
import { option, section, type ValuesOf } from './option.ts';

export const communitiesSection = section(
  'Communities',
  'Groups of rooms and users in old clients; newer ones have spaces.',
  {
    enable_group_creation: option(flag, false, 'Others than admins may make communities.'),
    group_creation_prefix: option(text, '', 'What the names of theirs have to begin with.'),
  },
);

/** What communities are configured by. */
export const readCommunities = (
  values: ValuesOf<typeof communitiesSection.options>,
  serverName: string,
) => ({
  serverName,
  usersCreate: values.enable_group_creation,
  prefix: values.group_creation_prefix,
});
