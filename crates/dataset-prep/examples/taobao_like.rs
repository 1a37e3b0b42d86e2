//! Files in the published schema of `taobao-ad`, of any size: `taobao_like FOLDER SAMPLES BEHAVIORS`.
//!
//! For measuring how preparation grows (`scripts/scale/run`). Nothing in them is worth learning.

use ctr_core::SeedStreams;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// 6 May 2017, midnight in China: the first of eight days.
const BEGIN: u64 = 1_494_000_000;
const DAY: u64 = 86_400;
/// Behaviors begin two weeks before the impressions.
const LOG_BEGIN: u64 = BEGIN - 14 * DAY;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, samples, behaviors] = &arguments[..] else {
        return Err("usage: taobao_like FOLDER SAMPLES BEHAVIORS".into());
    };
    let (samples, behaviors): (u64, u64) = (samples.parse()?, behaviors.parse()?);
    std::fs::create_dir_all(folder)?;
    let open = |name: &str, header: &str| -> Result<BufWriter<File>, Box<dyn Error>> {
        let mut file =
            BufWriter::with_capacity(1 << 20, File::create(Path::new(folder).join(name))?);
        writeln!(file, "{header}")?;
        Ok(file)
    };
    // As in the published files: 23 impressions a user, 31 an ad.
    let (users, ads) = ((samples / 23).max(10), (samples / 31).max(10));
    let mut draws = SeedStreams::new(1).stream("taobao-like");

    let header = "userid,cms_segid,cms_group_id,final_gender_code,age_level,pvalue_level,\
                  shopping_level,occupation,new_user_class_level ";
    let mut file = open("user_profile.csv", header)?;
    for user in 0..users {
        let (segment, gender, age) = (draws.below(97), 1 + draws.below(2), draws.below(7));
        writeln!(file, "{user},{segment},{},{gender},{age},,3,0,", draws.below(13))?;
    }
    file.flush()?;

    let header = "adgroup_id,cate_id,campaign_id,customer,brand,price";
    let mut file = open("ad_feature.csv", header)?;
    for ad in 0..ads {
        let (category, brand) = (draws.below(6_769), draws.below(99_815));
        writeln!(file, "{ad},{category},{},{},{brand},{}.0", ad / 2, ad / 4, draws.below(3000))?;
    }
    file.flush()?;

    let mut file = open("raw_sample.csv", "user,time_stamp,adgroup_id,pid,nonclk,clk")?;
    for _ in 0..samples {
        let (user, ad) = (draws.below(users), draws.below(ads));
        let time = BEGIN + draws.below(8 * DAY);
        let clicked = u64::from(draws.below(20) == 0);
        let position = if draws.below(2) == 0 { "430548_1007" } else { "430539_1007" };
        writeln!(file, "{user},{time},{ad},{position},{},{clicked}", 1 - clicked)?;
    }
    file.flush()?;

    let mut file = open("behavior_log.csv", "user,time_stamp,btag,cate,brand")?;
    for _ in 0..behaviors {
        let (user, time) = (draws.below(users), LOG_BEGIN + draws.below(22 * DAY));
        let kind = ["pv", "cart", "fav", "buy"][draws.below(40).min(3) as usize];
        writeln!(file, "{user},{time},{kind},{},{}", draws.below(12_977), draws.below(460_561))?;
    }
    file.flush()?;
    Ok(())
}
