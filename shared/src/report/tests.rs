//! Properties of whole bundles over three studies: as pooled, under disclosure control, and
//! with too few sites.

use super::*;

fn heart() -> PooledStudy {
    serde_json::from_str(include_str!("testdata/heart.json")).unwrap()
}

#[test]
fn write_for_a_look() {
    let out = bundle(&heart(), &Provenance::default()).unwrap();
    if let Ok(folder) = std::env::var("FEDVAL_REPORT_DIR") {
        for (name, bytes) in &out.files {
            let path = std::path::Path::new(&folder).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}
