//! The six tables of the example: names, headers and how a user's month becomes a line of each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use streamflow_dataset::LabelTask;

use super::Error;
use super::folder::io_error;
use super::month::UserMonth;

/// One CSV file of a monthly drop.
pub struct Table {
    /// File name without `.csv`.
    pub name: &'static str,
    /// Header line; the first column is the entity.
    pub header: &'static str,
    /// Writes the columns after the entity, with a comma in front of each.
    fields: fn(&mut dyn Write, &UserMonth) -> std::io::Result<()>,
}

/// The label of a regression, in place of churn.
static SPEND: Table = Table {
    name: "labels",
    header: "user_id,spend_next_30d",
    fields: |file, user| write!(file, ",{:.2}", user.spend),
};

/// The label of several classes, in place of churn.
static NEXT_PLAN: Table = Table {
    name: "labels",
    header: "user_id,next_plan",
    fields: |file, user| write!(file, ",{}", user.next_plan.name()),
};

/// The tables of a drop whose label is for the task.
pub fn tables(task: LabelTask) -> [&'static Table; 6] {
    let mut tables = TABLES.each_ref();
    match task {
        LabelTask::Binary => {}
        LabelTask::Multiclass => tables[LABELS] = &NEXT_PLAN,
        LabelTask::Regression => tables[LABELS] = &SPEND,
    }
    tables
}

/// The place of the labels among the tables.
const LABELS: usize = 5;

/// All tables, with churn for the label; every user has one line in each.
pub static TABLES: [Table; 6] = [
    Table {
        name: "users",
        header: "user_id,signup_date,user_gender,user_is_senior,has_family,has_dependents",
        fields: |file, user| {
            let person = &user.person;
            write!(file, ",{},{}", user.signup_date, person.gender)?;
            for flag in [person.senior, person.family, person.dependents] {
                write!(file, ",{}", spelled(flag))?;
            }
            Ok(())
        },
    },
    Table {
        name: "subscriptions",
        header: "user_id,months_active,plan_stream_tv,plan_stream_movies,contract_type,paperless_billing,\
                 monthly_fee,total_paid,net_service",
        fields: |file, user| {
            write!(file, ",{}", user.months_active)?;
            for flag in [user.plan_stream_tv, user.plan_stream_movies] {
                write!(file, ",{}", flag.map_or("", spelled))?;
            }
            write!(file, ",{},{}", user.contract.name(), spelled(user.person.paperless))?;
            write!(file, ",{:.2},", user.monthly_fee)?;
            if let Some(total_paid) = user.total_paid {
                write!(file, "{total_paid:.2}")?;
            }
            write!(file, ",{}", user.net_service.name())
        },
    },
    Table {
        name: "usage_agg_30d",
        header: "user_id,watch_hours_30d,avg_session_mins_7d,unique_devices_30d,skips_7d,rebuffer_events_7d",
        fields: |file, user| {
            write!(file, ",{:.2},{:.2}", user.watch_hours, user.session_minutes)?;
            write!(file, ",{},{},{}", user.devices, user.skips, user.rebuffers)
        },
    },
    Table {
        name: "payments_agg_90d",
        header: "user_id,failed_payments_90d",
        fields: |file, user| write!(file, ",{}", user.failed_payments),
    },
    Table {
        name: "support_agg_90d",
        header: "user_id,support_tickets_90d,ticket_avg_resolution_hrs_90d",
        fields: |file, user| write!(file, ",{},{:.1}", user.tickets, user.resolution_hours),
    },
    Table {
        name: "labels",
        header: "user_id,churn_label",
        fields: |file, user| write!(file, ",{}", spelled(user.churns)),
    },
];

/// Booleans as Python writes them.
fn spelled(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// The open files of one month.
pub struct TableWriters {
    tables: [&'static Table; 6],
    files: Vec<(PathBuf, BufWriter<File>)>,
}

impl TableWriters {
    /// Creates all tables in `folder`, each with its header.
    pub fn create(folder: &Path, task: LabelTask) -> Result<Self, Error> {
        let (tables, mut files) = (tables(task), Vec::new());
        for table in tables {
            let path = folder.join(format!("{}.csv", table.name));
            let file = File::create_new(&path).map_err(io_error(&path))?;
            let mut file = BufWriter::with_capacity(1 << 16, file);
            writeln!(file, "{}", table.header).map_err(io_error(&path))?;
            files.push((path, file));
        }
        Ok(Self { tables, files })
    }

    /// Appends one user to every table.
    pub fn write(&mut self, user: &UserMonth) -> Result<(), Error> {
        for (table, (path, file)) in self.tables.iter().zip(&mut self.files) {
            file.write_all(&user.person.id)
                .and_then(|()| (table.fields)(file, user))
                .and_then(|()| file.write_all(b"\n"))
                .map_err(io_error(path))?;
        }
        Ok(())
    }

    /// Flushes all tables to the disk.
    pub fn finish(self) -> Result<(), Error> {
        for (path, file) in self.files {
            file.into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .map_err(io_error(&path))?;
        }
        Ok(())
    }
}
