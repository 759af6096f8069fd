//! Records: what an event makes of one, and how it is told to others.

pub mod cloudevent;
pub mod drift;
pub mod fold;
pub mod generation;
pub mod merge;
pub mod occupancy;
pub mod ties;
