pub mod data_dir;
pub mod embedded;
