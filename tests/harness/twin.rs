//! The adapters once more, in plain integer arithmetic: the oracle for what ONNX Runtime makes of
//! `adapter.onnx`, one codebook at a time. It shares the numbers in that file and nothing else. The
//! rules are written down in `onnx/raq_train/adapter.py`.

use crate::onnx_file::{Constant, constants_by_name};

/// Inputs, states and weights are signed bytes of at most this magnitude.
const BYTE: i64 = 127;
/// The constant input, and the largest magnitude of the step encoding.
const PEAK: i64 = 64;
/// Bits of the index in the step encoding.
const INDEX_BITS: usize = 12;
/// Largest magnitude of a codeword's coordinate, and of a cell state.
const LIMIT: i64 = 8191;
/// Fractional bits of gate values and cell states.
const GATE_BITS: u32 = 10;
/// Fractional bits of a state.
const UNIT_BITS: u32 = 7;
/// What sums of products stay below, so that floats hold them exactly.
const SUM_LIMIT: i64 = 1 << 24;

/// The numbers of one codebook in an `adapter.onnx`.
pub struct Twin {
    encoder: Cell,
    decoder: Cell,
    output: Vec<i64>,
    output_shift: Vec<i32>,
    start: Vec<i64>,
    input_shift: Vec<i32>,
    wave_frequency: Vec<i64>,
    wave_phase: Vec<i64>,
    gates: Gates,
    hidden: usize,
    dim: usize,
    /// Sequences that run side by side.
    chains: usize,
    /// Which of the emitted rows stands in each row of the codebook.
    order: Vec<i64>,
}

struct Cell {
    /// [inputs + hidden][4 hidden], gates in the order input, forget, output, candidate.
    weight: Vec<i64>,
    shift: Vec<i32>,
}

struct Gates {
    sigmoid: Vec<i64>,
    tanh: Vec<i64>,
    cell_tanh: Vec<i64>,
}

#[derive(Clone)]
struct State {
    hidden: Vec<i64>,
    cell: Vec<i64>,
}

impl Twin {
    /// Reads the numbers of codebook `codebook`.
    ///
    /// # Panics
    /// Where one is missing, or is not what the rules demand: whole, or a power of two.
    pub fn new(adapter: &[u8], codebook: &str) -> Self {
        let named = constants_by_name(adapter);
        let get = |name: &str| {
            named
                .get(name)
                .unwrap_or_else(|| panic!("no constant {name}"))
        };
        let whole =
            |name: &str| -> Vec<i64> { get(name).values.iter().map(|&v| exact(v)).collect() };
        let own = |name: &str| whole(&format!("{codebook}_{name}"));
        let shifts = |name: &str| -> Vec<i32> {
            let scales = get(&format!("{codebook}_{name}"));
            scales.values.iter().map(|&v| shift(v)).collect()
        };
        let cell = |which: &str| Cell {
            weight: own(&format!("{which}_weight")),
            shift: shifts(&format!("{which}_scale")),
        };
        let [hidden, dim] = shape(get(&format!("{codebook}_output_weight")));
        // [steps, 1, chains, dim]: what the graph cuts the base codebook into.
        let chains = get(&format!("{codebook}_blocks")).values[2] as usize;
        Self {
            encoder: cell("encoder"),
            decoder: cell("decoder"),
            output: own("output_weight"),
            output_shift: shifts("output_scale"),
            start: own("start"),
            input_shift: shifts("input_scale"),
            wave_frequency: whole("wave_frequency"),
            wave_phase: whole("wave_phase"),
            gates: Gates {
                sigmoid: whole("sigmoid_table"),
                tanh: whole("tanh_table"),
                cell_tanh: whole("cell_tanh_table"),
            },
            hidden,
            dim,
            chains,
            order: own("order"),
        }
    }

    /// The codebook of `codewords` rows that the adapter makes of `base`, row by row.
    ///
    /// # Panics
    /// Where the base does not fit the file.
    pub fn codebook(&self, base: &[i16], codewords: usize) -> Vec<i16> {
        let base: Vec<&[i16]> = base.chunks_exact(self.dim).collect();
        let chains = self.chains;
        let still = State {
            hidden: vec![0; self.hidden],
            cell: vec![0; self.hidden],
        };
        let mut states = vec![still; chains];
        for (i, row) in base.iter().enumerate() {
            let row: Vec<i64> = row.iter().map(|&v| v.into()).collect();
            let mut input = self.as_input(&row);
            input.push(PEAK);
            self.encoder
                .step(&self.gates, &input, &mut states[i % chains]);
        }
        let mut rows: Vec<Vec<i64>> = Vec::with_capacity(codewords);
        for i in 0..codewords {
            let (step, chain) = (i / chains, i % chains);
            // Cross-forcing: up to twice the base, every second step is fed an original codeword.
            let forced = i < 2 * base.len() && (step + chain).is_multiple_of(2);
            let fed: Vec<i64> = match (forced, step.checked_ilog2()) {
                (true, _) => base[i / 2].iter().map(|&v| v.into()).collect(),
                (false, None) => self.start.clone(),
                (false, Some(leading)) => {
                    let parent = step - (1 << leading);
                    rows[parent * chains + (chain ^ 1)].clone()
                }
            };
            let mut input = self.as_input(&fed);
            input.extend(self.encoding(i as i64));
            self.decoder.step(&self.gates, &input, &mut states[chain]);
            let emitted = |d: usize| {
                let weights = self.output[d..].iter().step_by(self.dim);
                let products = states[chain].hidden.iter().zip(weights);
                let sum = products.map(|(h, w)| h * w).sum();
                let change = scaled(sum, self.output_shift[d]).clamp(-(1 << 20), 1 << 20);
                (fed[d] + change).clamp(-LIMIT, LIMIT)
            };
            rows.push((0..self.dim).map(emitted).collect());
        }
        let ordered = self.order.iter().flat_map(|&i| &rows[i as usize]);
        ordered.map(|&v| v as i16).collect()
    }

    fn as_input(&self, codeword: &[i64]) -> Vec<i64> {
        let shifts = &self.input_shift;
        codeword
            .iter()
            .zip(shifts)
            .map(|(&v, &s)| scaled(v, s).clamp(-BYTE, BYTE))
            .collect()
    }

    /// A constant, the bits of the index, and triangle waves of it.
    fn encoding(&self, index: i64) -> impl Iterator<Item = i64> {
        let bits = (0..INDEX_BITS).map(move |bit| if index >> bit & 1 == 1 { PEAK } else { -PEAK });
        let waves = self.wave_frequency.iter().zip(&self.wave_phase);
        let waves = waves.map(move |(frequency, phase)| {
            ((index * frequency + phase) % 4096 - 2048).abs() / 16 - PEAK
        });
        [PEAK].into_iter().chain(bits).chain(waves)
    }
}

impl Cell {
    fn step(&self, gates: &Gates, input: &[i64], state: &mut State) {
        let hidden = state.hidden.len();
        let width = 4 * hidden;
        assert_eq!(
            self.weight.len(),
            (input.len() + hidden) * width,
            "inputs fit the weights"
        );
        // Weights are bytes, too.
        let longest = (input.len() + hidden) as i64 * BYTE * BYTE;
        assert!(longest < SUM_LIMIT, "sums are exact in floats");
        let mut sums = vec![0i64; width];
        for (row, &x) in input.iter().chain(&state.hidden).enumerate() {
            for (sum, weight) in sums.iter_mut().zip(&self.weight[row * width..]) {
                *sum += x * weight;
            }
        }
        let entry = |k: usize, table: &[i64]| {
            let half = table.len() as i64 / 2;
            let index = floor_shift(sums[k], self.shift[k]) + half;
            table[index.clamp(0, table.len() as i64 - 1) as usize]
        };
        for h in 0..hidden {
            let input_gate = entry(h, &gates.sigmoid);
            let forget = entry(hidden + h, &gates.sigmoid);
            let output = entry(2 * hidden + h, &gates.sigmoid);
            let candidate = entry(3 * hidden + h, &gates.tanh);
            let kept = (forget * state.cell[h] + input_gate * candidate) >> GATE_BITS;
            let cell = kept.clamp(-LIMIT, LIMIT);
            let place = (cell >> 3) + gates.cell_tanh.len() as i64 / 2;
            let shown = output * gates.cell_tanh[place as usize];
            state.cell[h] = cell;
            state.hidden[h] = (shown >> (2 * GATE_BITS - UNIT_BITS)).clamp(-BYTE, BYTE);
        }
    }
}

fn shape(constant: &Constant) -> [usize; 2] {
    constant.shape.clone().try_into().expect("a matrix")
}

fn exact(value: f64) -> i64 {
    assert_eq!(value.fract(), 0.0, "{value} is whole");
    value as i64
}

/// n of a scale 2^n.
fn shift(scale: f64) -> i32 {
    let exponent = scale.log2();
    assert!(
        scale > 0.0 && exponent.fract() == 0.0,
        "{scale} is a power of two"
    );
    exponent as i32
}

/// value · 2^shift, rounded down.
fn floor_shift(value: i64, shift: i32) -> i64 {
    if shift >= 0 {
        value << shift
    } else {
        value >> -shift
    }
}

/// value · 2^shift, rounded half up.
fn scaled(value: i64, shift: i32) -> i64 {
    if shift >= 0 {
        value << shift
    } else {
        (value + (1 << (-shift - 1))) >> -shift
    }
}
