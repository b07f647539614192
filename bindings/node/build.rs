//! Leaves the `napi_*` symbols to the program that loads the addon, and keeps it loaded.

fn main() {
    napi_build::setup();
}
