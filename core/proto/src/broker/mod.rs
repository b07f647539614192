//! Services, queues and sessions (being written).
