//! The edge: REST, live streams, one front door.
