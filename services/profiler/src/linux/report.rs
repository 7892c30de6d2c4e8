//! Turns sampled addresses into a profile with names.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use super::{
    handler::Shared,
    modules::Module,
    pprof::{Message, Writer, field},
    threads::Threads,
    timer::PERIOD,
};

/// The properties of the profile and of its threads.
pub(super) struct Report<'a> {
    pub(super) started: SystemTime,
    pub(super) duration: Duration,
    pub(super) threads: &'a Threads,
}

impl Report<'_> {
    pub(super) fn write(&self, shared: &mut Shared, modules: &mut [Module]) -> io::Result<Vec<u8>> {
        let lost = shared.lost.load(Ordering::Relaxed);
        let mut counted: HashMap<(&str, &[u64]), u64> = HashMap::new();
        for (thread, stack) in shared.buffer.stacks() {
            *counted.entry((self.threads.name(thread), stack)).or_default() += 1;
        }
        let mut writer = Writer::new();
        self.head(&mut writer, lost)?;
        let addresses: BTreeSet<_> =
            counted.keys().flat_map(|(_, stack)| *stack).copied().collect();
        let mut locations = Locations::new(&mut writer);
        locations.write(&addresses.into_iter().collect::<Vec<_>>(), modules)?;
        let mut unsampled = Vec::new();
        for (thread, samples) in self.threads.unsampled() {
            let name =
                format!("[{thread}: blocks signals, so that it was measured and not sampled]");
            unsampled.push((thread, locations.add(0, 0, &name)?, samples));
        }
        let places = locations.places;
        for ((thread, stack), samples) in counted {
            let places = stack.iter().filter_map(|address| places.get(address)).copied();
            sample(&mut writer, thread, places, samples)?;
        }
        for (thread, place, samples) in unsampled {
            sample(&mut writer, thread, [place], samples)?;
        }
        writer.finish()
    }

    fn head(&self, writer: &mut Writer, lost: u64) -> io::Result<()> {
        let samples = writer.value_type("samples", "count");
        let cpu = writer.value_type("cpu", "nanoseconds");
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut head = Message::default()
            .message(field::SAMPLE_TYPE, &samples)
            .message(field::SAMPLE_TYPE, &cpu)
            .number(field::TIME_NANOS, started.as_nanos() as u64)
            .number(field::DURATION_NANOS, self.duration.as_nanos() as u64)
            .message(field::PERIOD_TYPE, &cpu)
            .number(field::PERIOD, PERIOD.as_nanos() as u64);
        if lost > 0 {
            let comment =
                format!("{lost} samples had no room and are missing; take a shorter profile");
            head = head.number(field::COMMENT, writer.string(&comment));
        }
        writer.write(&head)
    }
}

fn sample(
    writer: &mut Writer,
    thread: &str,
    places: impl IntoIterator<Item = u64>,
    samples: u64,
) -> io::Result<()> {
    let label =
        Message::default().number(1, writer.string("thread")).number(2, writer.string(thread));
    let sample = Message::default()
        .numbers(1, places)
        .numbers(2, [samples, samples * PERIOD.as_nanos() as u64])
        .message(3, &label);
    writer.write(&Message::default().message(field::SAMPLE, &sample))
}

/// Writes locations, and the functions that they are in, once each.
struct Locations<'a> {
    writer: &'a mut Writer,
    /// The id of the location of each address.
    places: HashMap<u64, u64>,
    /// The ids of the functions written so far. The id of a function is the index of its name.
    functions: HashSet<u64>,
    next: u64,
}

impl<'a> Locations<'a> {
    fn new(writer: &'a mut Writer) -> Self {
        Self { writer, places: HashMap::new(), functions: HashSet::new(), next: 1 }
    }

    /// Writes the locations. The addresses must be sorted, as the modules are.
    fn write(&mut self, addresses: &[u64], modules: &mut [Module]) -> io::Result<()> {
        for (index, module) in modules.iter_mut().enumerate() {
            let first = addresses.partition_point(|address| *address < module.memory.start);
            let end = addresses.partition_point(|address| *address < module.memory.end);
            let id = index as u64 + 1;
            self.mapping(id, module)?;
            let inside = &addresses[first..end];
            for (address, name) in inside.iter().zip(module.names(inside)) {
                let name = match name {
                    Some(name) => format!("{:#}", rustc_demangle::demangle(&name)),
                    None => format!("[{}]", module.short()),
                };
                let place = self.add(id, *address, &name)?;
                self.places.insert(*address, place);
            }
        }
        for address in addresses {
            if !self.places.contains_key(address) {
                let place = self.add(0, *address, "[unknown]")?;
                self.places.insert(*address, place);
            }
        }
        Ok(())
    }

    fn mapping(&mut self, id: u64, module: &Module) -> io::Result<()> {
        let mapping = Message::default()
            .number(1, id)
            .number(2, module.memory.start)
            .number(3, module.memory.end)
            .number(5, self.writer.string(&module.path))
            .number(7, 1); // it has the names of functions
        self.writer.write(&Message::default().message(field::MAPPING, &mapping))
    }

    /// Writes a location, and its function if it is new.
    fn add(&mut self, mapping: u64, address: u64, name: &str) -> io::Result<u64> {
        let (id, name) = (self.next, self.writer.string(name));
        self.next += 1;
        let line = Message::default().number(1, name);
        let location = Message::default()
            .number(1, id)
            .number(2, mapping)
            .number(3, address)
            .message(4, &line);
        let mut fields = Message::default().message(field::LOCATION, &location);
        if self.functions.insert(name) {
            // Without a system name, since `pprof` would demangle it as C++ and take angle brackets for template arguments.
            let function = Message::default().number(1, name).number(2, name);
            fields = fields.message(field::FUNCTION, &function);
        }
        self.writer.write(&fields)?;
        Ok(id)
    }
}
