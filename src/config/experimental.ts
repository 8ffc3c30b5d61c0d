import { flag, oneOf } from './kinds.ts';
import { group, option, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';

export const experimentalSection = section(
  'Experimental features',
  'Proposals that are not part of the specification yet.',
  {
    experimental_features: group(
      {
        msc3391_enabled: option(
          flag,
          false,
          'Account data that is set to nothing is deleted (MSC3391).',
        ),
        msc3881_enabled: option(
          flag,
          false,
          'Pushers can be switched off and on again, also from other devices (MSC3881).',
        ),
        msc3930_enabled: option(flag, false, 'Users are told of polls as of messages (MSC3930).'),
        msc4108_enabled: option(
          flag,
          false,
          'Devices sign in other devices by a QR code, over channels as MSC4108 has them. Needs ' +
            '`public_baseurl`.',
        ),
        msc4155_enabled: option(
          flag,
          false,
          'Users list who may invite them, and whose invites they do not want to see (MSC4155).',
        ),
        msc4306_enabled: option(
          flag,
          false,
          'Users subscribe to threads, and are notified of what is new in those (MSC4306, MSC4308).',
        ),
        msc4354_enabled: option(
          flag,
          false,
          'Events may be sticky for a time: who joins or has been away is sent them (MSC4354).',
        ),
        msc4388_mode: option(
          oneOf('off', 'open', 'authenticated'),
          'off',
          'The same over channels as MSC4388 has them, which anybody may open, or users only.',
        ),
      },
      'Switches.',
    ),
  },
);

export interface ExperimentalFeatures {
  threadSubscriptions: boolean;
  polls: boolean;
  emptyDeletes: boolean;
  pusherSwitches: boolean;
  inviteFilters: boolean;
  stickyEvents: boolean;
}

/** Proposals that are switched on. */
export function readExperimental({
  experimental_features: features,
}: ValuesOf<typeof experimentalSection.options>): ExperimentalFeatures {
  return {
    threadSubscriptions: features.msc4306_enabled,
    polls: features.msc3930_enabled,
    emptyDeletes: features.msc3391_enabled,
    pusherSwitches: features.msc3881_enabled,
    inviteFilters: features.msc4155_enabled,
    stickyEvents: features.msc4354_enabled,
  };
}

/** Which ways of signing in by a QR code there are; null: not this one. */
export function readRendezvous(
  loader: OptionLoader,
  { experimental_features: features }: ValuesOf<typeof experimentalSection.options>,
  publicBaseUrl: string | null,
) {
  const { msc4108_enabled: has4108, msc4388_mode: mode } = features;
  if (has4108 && publicBaseUrl === null) {
    loader.at('experimental_features', 'msc4108_enabled').problem('needs public_baseurl');
  }
  return {
    msc4108: has4108 && publicBaseUrl !== null ? { publicBaseUrl } : null,
    msc4388: mode === 'off' ? null : { needsAccount: mode === 'authenticated' },
  };
}
