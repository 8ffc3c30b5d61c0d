import { flag } from './kinds.ts';
import { option, section, type ValuesOf } from './option.ts';

export const searchSection = section('Search', 'Search in messages.', {
  enable_search: option(
    flag,
    true,
    'Users can search in messages, room names and topics. What is not encrypted is indexed for it.',
  ),
});

/** What search in messages is configured by. */
export const readSearch = (values: ValuesOf<typeof searchSection.options>) => ({
  isEnabled: values.enable_search,
});
