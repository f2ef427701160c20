//! Choice and splitting among several engines.
