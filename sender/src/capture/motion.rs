//! A landscape that is panned over, with things that move in it: smooth gradients, textures,
//! edges and several kinds of motion, drawn with the same arithmetic on every machine.

use std::time::Duration;

use raq_shared::frame::{Frame, FrameSize, Plane};

/// Time for the pan to and fro.
const PAN_PERIOD: f32 = 16.0;

/// Luma, U, V.
type Colour = [f32; 3];

/// The landscape, wider than the picture, drawn once.
#[derive(Debug)]
pub struct Scene {
    size: FrameSize,
    /// Luma pixels the picture travels.
    travel: usize,
    planes: [Canvas; 3],
}

#[derive(Debug)]
struct Canvas {
    stride: usize,
    pixels: Vec<u8>,
}

impl Scene {
    /// Draws the landscape for pictures of `size`.
    pub fn new(size: FrameSize) -> Self {
        let travel = (size.width() / 3).next_multiple_of(2);
        let height = size.height() as f32;
        let canvas = |plane: usize, scale: usize, width: usize, rows: usize| {
            // One column more than ever visible, for the interpolation.
            let stride = width + travel / scale + 1;
            let pixels = (0..rows * stride).map(|i| {
                let x = (i % stride * scale) as f32 / height;
                let y = (i / stride * scale) as f32 / height;
                landscape(x, y)[plane].clamp(16.0, 235.0) as u8
            });
            Canvas {
                stride,
                pixels: pixels.collect(),
            }
        };
        let planes = [
            canvas(0, 1, size.width(), size.height()),
            canvas(1, 2, size.chroma_width(), size.chroma_height()),
            canvas(2, 2, size.chroma_width(), size.chroma_height()),
        ];
        Self {
            size,
            travel,
            planes,
        }
    }

    /// Draws the picture at `time`.
    pub fn draw(&self, time: Duration, frame: &mut Frame) {
        // The scene repeats after an hour, where single precision still has fine steps.
        let time = (time.as_millis() % 3_600_000) as f32 / 1000.0;
        let pan = ease(triangle(time / PAN_PERIOD)) * self.travel as f32;
        for (canvas, plane) in self.planes.iter().zip(Plane::ALL) {
            let offset = if plane == Plane::Y { pan } else { pan / 2.0 };
            canvas.draw(offset, plane, frame);
        }
        let height = self.size.height() as f32;
        let aspect = self.size.width() as f32 / height;
        for thing in things(time, aspect) {
            thing.draw(height, frame);
        }
    }
}

impl Canvas {
    /// Copies what is visible at `offset`, interpolated between columns in steps of 1/256.
    fn draw(&self, offset: f32, plane: Plane, frame: &mut Frame) {
        let (width, height) = frame.plane_size(plane);
        let (column, part) = (offset as usize, (offset.fract() * 256.0) as u16);
        for y in 0..height {
            let source = &self.pixels[y * self.stride + column..][..width + 1];
            let pairs = source.iter().zip(&source[1..]);
            for (value, (&a, &b)) in frame.row_mut(plane, y).iter_mut().zip(pairs) {
                *value = ((u16::from(a) * (256 - part) + u16::from(b) * part + 128) >> 8) as u8;
            }
        }
    }
}

/// The landscape's colour at x, y in units of the picture's height, y downwards.
fn landscape(x: f32, y: f32) -> Colour {
    let far = 0.42 + 0.16 * (clouds(x * 1.3, 3.0, 3) - 0.5);
    let near = 0.56 + 0.14 * (clouds(x * 2.1, 9.0, 3) - 0.5);
    if y < far {
        let cloud = ((clouds(x * 1.5, y * 4.0, 5) - 0.5) * 4.0).clamp(0.0, 1.0);
        let sky = [150.0 + 70.0 * y, 150.0 - 25.0 * y, 112.0 + 14.0 * y];
        mix(sky, [222.0, 128.0, 129.0], cloud)
    } else if y < near {
        let rock = clouds(x * 24.0, y * 24.0, 4);
        [96.0 + 40.0 * (rock - 0.5), 131.0, 122.0]
    } else if y < near + 0.12 {
        let wood = clouds(x * 60.0, y * 60.0, 3);
        [52.0 + 70.0 * (wood - 0.5), 118.0, 120.0]
    } else {
        // Grass, coarser towards the viewer.
        let depth = 1.0 / (y - near + 0.05);
        let blades = clouds(x * 9.0 * depth, depth * 14.0, 4);
        let patches = clouds(x * 3.0, y * 5.0, 2);
        [
            92.0 + 64.0 * (blades - 0.5) + 30.0 * (patches - 0.5),
            104.0,
            118.0 + 10.0 * patches,
        ]
    }
}

/// What moves in the landscape.
struct Thing {
    /// Centre, in units of the picture's height.
    x: f32,
    y: f32,
    radius: f32,
    /// Sine and cosine of its turn.
    turn: (f32, f32),
    look: Look,
}

#[derive(Clone, Copy)]
enum Look {
    Ball,
    Sign,
    Balloon,
}

fn things(time: f32, aspect: f32) -> [Thing; 3] {
    let across = |period: f32| -0.2 + (aspect + 0.4) * triangle(time / period);
    let bounce = (time / 1.3).fract() * 2.0 - 1.0;
    [
        Thing {
            x: 0.3 * aspect + 0.12 * wave(time / 7.0),
            y: 0.24 + 0.06 * wave(time / 5.0),
            radius: 0.11,
            turn: (0.0, 1.0),
            look: Look::Balloon,
        },
        Thing {
            x: across(11.0),
            y: 0.62,
            radius: 0.17,
            turn: (wave(time / 9.0), wave(time / 9.0 + 0.25)),
            look: Look::Sign,
        },
        Thing {
            x: across(6.5),
            y: 0.88 - 0.34 * (1.0 - bounce * bounce),
            radius: 0.085,
            turn: (wave(time / 1.7), wave(time / 1.7 + 0.25)),
            look: Look::Ball,
        },
    ]
}

impl Thing {
    fn draw(&self, height: f32, frame: &mut Frame) {
        for (index, plane) in Plane::ALL.into_iter().enumerate() {
            let unit = if plane == Plane::Y {
                height
            } else {
                height / 2.0
            };
            let (width, rows) = frame.plane_size(plane);
            let reach = self.radius * 1.5;
            let range = |centre: f32, end: usize| {
                let low = ((centre - reach) * unit).max(0.0) as usize;
                let high = ((centre + reach) * unit).max(0.0) as usize + 1;
                low.min(end)..high.min(end)
            };
            for y in range(self.y, rows) {
                let columns = range(self.x, width);
                let row = &mut frame.row_mut(plane, y)[columns.clone()];
                for (value, x) in row.iter_mut().zip(columns) {
                    let dx = ((x as f32 + 0.5) / unit - self.x) / self.radius;
                    let dy = ((y as f32 + 0.5) / unit - self.y) / self.radius;
                    let (colour, cover) = self.look(dx, dy, self.radius * unit);
                    let mixed = f32::from(*value) * (1.0 - cover) + colour[index] * cover;
                    *value = mixed.clamp(16.0, 235.0) as u8;
                }
            }
        }
    }

    /// Colour and coverage (0–1) at dx, dy in radii; `pixels` per radius soften the edge.
    fn look(&self, dx: f32, dy: f32, pixels: f32) -> (Colour, f32) {
        let distance = (dx * dx + dy * dy).sqrt();
        let (sin, cos) = self.turn;
        let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let inside = |edge: f32| (edge * pixels + 0.5).clamp(0.0, 1.0);
        // Lit from the top left.
        let light = 1.0 - 0.45 * ((dx + dy) * 0.5 + 0.5).clamp(0.0, 1.0);
        match self.look {
            Look::Ball => {
                let spots = clouds(u * 3.0 + 20.0, v * 3.0 + 20.0, 2);
                let base = if spots > 0.52 {
                    [200.0, 120.0, 140.0]
                } else {
                    [110.0, 96.0, 196.0]
                };
                ([base[0] * light, base[1], base[2]], inside(1.0 - distance))
            }
            Look::Balloon => {
                let stripes = (u * 5.0 + 100.0).fract();
                let base = if stripes < 0.5 {
                    [190.0, 60.0, 160.0]
                } else {
                    [120.0, 160.0, 90.0]
                };
                ([base[0] * light, base[1], base[2]], inside(1.0 - distance))
            }
            Look::Sign => {
                let checker = ((u * 4.0 + 100.0) as i32 + (v * 4.0 + 100.0) as i32) % 2 == 0;
                let grain = 40.0 * (clouds(u * 14.0 + 50.0, v * 14.0 + 50.0, 3) - 0.5);
                let base = if checker {
                    [205.0, 122.0, 132.0]
                } else {
                    [60.0, 148.0, 118.0]
                };
                let edge = 1.0 - u.abs().max(v.abs());
                ([base[0] + grain, base[1], base[2]], inside(edge))
            }
        }
    }
}

fn mix(a: Colour, b: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part)
}

/// Rises from 0 to 1 and falls back in one period.
fn triangle(phase: f32) -> f32 {
    let phase = phase.fract() * 2.0;
    if phase < 1.0 { phase } else { 2.0 - phase }
}

/// 0 to 1 with soft ends.
fn ease(x: f32) -> f32 {
    x * x * (3.0 - 2.0 * x)
}

/// A sine, nearly: parabolas, the same on every machine (the library's sine is not).
fn wave(phase: f32) -> f32 {
    let x = phase.fract() * 2.0 - 1.0;
    -4.0 * x * (1.0 - x.abs())
}

/// Value noise in octaves, 0–1.
fn clouds(x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut scale) = (0.0, 0.5, 1.0);
    for octave in 0..octaves {
        sum += weight * value_noise(x * scale, y * scale, octave);
        weight *= 0.5;
        scale *= 2.0;
    }
    sum / (1.0 - 2.0 * weight)
}

fn value_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let (fx, fy) = (ease(x - column), ease(y - row));
    let corner = |dx: i32, dy: i32| {
        let mut hash = seed.wrapping_mul(0x9e37_79b9);
        for part in [column as i32 + dx, row as i32 + dy] {
            hash = (hash ^ part as u32).wrapping_mul(0x85eb_ca6b);
            hash ^= hash >> 13;
        }
        (hash.wrapping_mul(0xc2b2_ae35) >> 16) as f32 / 65535.0
    };
    let top = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * fx;
    let bottom = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * fx;
    top + (bottom - top) * fy
}
