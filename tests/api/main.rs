//! The API: routes, pages, commands, refusals and its description.

mod commands;
#[path = "../common/mod.rs"]
mod common;
mod fresh;
mod lists;
mod openapi;
mod pages;
mod parameters;
mod problems;
mod routes;
