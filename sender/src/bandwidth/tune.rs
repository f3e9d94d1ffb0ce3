pub fn tune(key: &str, default: f64) -> f64 {
    static VALUES: std::sync::OnceLock<std::collections::HashMap<String, f64>> = std::sync::OnceLock::new();
    let values = VALUES.get_or_init(|| {
        let text = std::env::var("RAQ_TUNE").unwrap_or_default();
        text.split(',').filter_map(|kv| { let (k, v) = kv.split_once('=')?; Some((k.to_string(), v.parse().ok()?)) }).collect()
    });
    values.get(key).copied().unwrap_or(default)
}
