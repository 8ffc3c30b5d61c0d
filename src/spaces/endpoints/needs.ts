import type { RoomServices } from '../../rooms/module.ts';
import type { SpaceStore } from '../store/spaces.ts';

export interface SpaceNeeds {
  rooms: RoomServices;
  store: SpaceStore;
}
