// Filled by this room.
