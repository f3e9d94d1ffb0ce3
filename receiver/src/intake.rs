//! Datagrams in, the picture's state out.

use std::sync::Arc;

use raq_shared::coding::body::{BodyError, Framing, UpdateList, read};
use raq_shared::coding::{Source, Tables};
use raq_shared::stage::{MAX_LATENT, MAX_STAGES, POSITIONS, Stages};
use raq_shared::tile::scene::{Arrivals, Discard, FrameHead};
use raq_shared::tile::{Basis, Scene, TileGrid};
use raq_shared::wire::datagram::{DatagramError, extend_frame_number};
use raq_shared::wire::update::UpdateHeader;

/// A datagram that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its header is wrong.
    #[error(transparent)]
    Header(#[from] DatagramError),
    /// Its frame number is too far from the newest.
    #[error("frame {0} is too far from the newest")]
    Far(u16),
    /// Its floor lies before the first frame.
    #[error("a floor before the first frame")]
    Floor,
    /// Its body is wrong.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It comes too late, twice, or does not fit its frame.
    #[error(transparent)]
    Discard(#[from] Discard),
}

/// A datagram that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its frame's number.
    pub frame: u32,
    /// Its header.
    pub header: UpdateHeader,
    /// K̃ per stage, 0 for stages that the model does not have.
    pub codewords: [u16; MAX_STAGES],
}

/// Takes datagrams and keeps the picture.
#[derive(Debug)]
pub struct Intake {
    grid: TileGrid,
    stages: Arc<Stages>,
    tables: Arc<Tables>,
    scene: Scene,
    newest: Option<u32>,
    updates: UpdateList,
    words: Vec<u16>,
}

impl Intake {
    /// For a session with pictures of these tiles.
    pub fn new(
        grid: TileGrid,
        stages: &Arc<Stages>,
        basis: &Arc<Basis>,
        tables: &Arc<Tables>,
    ) -> Self {
        Self {
            grid,
            stages: Arc::clone(stages),
            tables: Arc::clone(tables),
            scene: Scene::new(grid, Arc::clone(stages), Arc::clone(basis)),
            newest: None,
            updates: UpdateList::new(),
            words: Vec::new(),
        }
    }

    /// The picture's state.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Takes a datagram.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then.
    pub fn datagram(&mut self, datagram: &[u8]) -> Result<Taken, Refused> {
        let (header, body) = UpdateHeader::parse(datagram)?;
        let frame =
            extend_frame_number(self.newest, header.frame).ok_or(Refused::Far(header.frame))?;
        let floor = match header.floor {
            0 => None,
            back => Some(frame.checked_sub(back.into()).ok_or(Refused::Floor)?),
        };
        let framing = Framing {
            grid: self.grid,
            stages: &self.stages,
            tables: &self.tables,
            level: header.level,
            codewords: None,
            floor: header.floor,
            index: header.index,
            count: header.count,
        };
        let source = Source::new(header.coding, body, &mut self.words);
        let codewords = read(&framing, header.names_codewords, source, &mut self.updates)?;
        let head = FrameHead {
            frame,
            floor,
            level: header.level,
            count: header.count,
        };
        self.scene
            .receive(head, header.index, self.updates.as_slice())?;
        self.newest = self.newest.max(Some(frame));
        Ok(Taken {
            frame,
            header,
            codewords,
        })
    }

    /// Closes all frames through `frame` and says what had arrived of it.
    pub fn close(&mut self, frame: u32) -> Arrivals {
        let arrived = self.scene.arrived(frame).unwrap_or_default();
        self.scene.close(frame);
        arrived
    }

    /// Tiles that datagrams of `frame` updated. For a frame that is open or was closed last: of
    /// older ones some may be forgotten.
    pub fn updated(&self, frame: u32) -> usize {
        let tiles = 0..self.grid.tiles();
        let updated = |&tile: &usize| self.scene.tile(tile).of(frame).is_some();
        tiles.filter(updated).count()
    }

    /// The decoder's inputs: latents `[positions, dim]` in grid units and depths `[positions]`.
    /// A tile that was never received takes its neighbours' mean, coarsest depth; returns how many
    /// there are.
    ///
    /// # Panics
    /// When the lengths are not those of the frame.
    pub fn fill(&self, latents: &mut [f32], depths: &mut [f32]) -> usize {
        let dim = self.stages.dim();
        let positions = self.grid.tiles() * POSITIONS;
        assert_eq!(
            (latents.len(), depths.len()),
            (positions * dim, positions),
            "the frame's size"
        );
        let mut concealed = 0;
        for tile in 0..self.grid.tiles() {
            let shown = self.scene.shown(tile);
            concealed += usize::from(shown.is_none());
            let mean = shown.is_none().then(|| self.neighbours(tile));
            for inner in 0..POSITIONS {
                let position = self.grid.position(tile, inner);
                let to = &mut latents[position * dim..][..dim];
                match (shown, &mean) {
                    (Some(content), _) => {
                        let from = &content.sums[inner * dim..][..dim];
                        for (to, &from) in to.iter_mut().zip(from) {
                            *to = from.into();
                        }
                        depths[position] = content.depth[inner].into();
                    }
                    (None, mean) => {
                        let mean = mean.as_ref().map_or(&[0.0; MAX_LATENT], |mean| mean);
                        to.copy_from_slice(&mean[..dim]);
                        depths[position] = 0.0;
                    }
                }
            }
        }
        concealed
    }

    /// The mean latent of the tiles around one that was never received.
    fn neighbours(&self, tile: usize) -> [f32; MAX_LATENT] {
        let dim = self.stages.dim();
        let (x, y) = self.grid.place(tile);
        let rows = y.saturating_sub(1)..(y + 2).min(self.grid.rows);
        let around = rows.flat_map(|row| {
            let columns = x.saturating_sub(1)..(x + 2).min(self.grid.columns);
            columns.map(move |column| row * self.grid.columns + column)
        });
        let mut count = 0u16;
        let mut mean = [0.0; MAX_LATENT];
        for content in around.filter_map(|t| self.scene.shown(t)) {
            for latent in content.sums.chunks_exact(dim) {
                count += 1;
                for (sum, &value) in mean.iter_mut().zip(latent) {
                    *sum += f32::from(value);
                }
            }
        }
        let count = f32::from(count.max(1));
        mean.iter_mut().for_each(|sum| *sum /= count);
        mean
    }
}
