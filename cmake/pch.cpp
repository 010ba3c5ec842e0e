// Anchors the precompiled header: see Rooms.cmake.
