import type { RoomServices } from '../../rooms/module.ts';
import type { TreeNeeds } from '../tree.ts';

export interface SpaceNeeds extends TreeNeeds {
  rooms: RoomServices;
}
