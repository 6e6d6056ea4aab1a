//! Keys and values of the sequences being answered, in blocks that are handed out and given back.

use super::kernel::{AttentionShape, BLOCK};

/// All blocks hold all layers, so a sequence needs one table for the whole model.
pub(super) struct KvCache {
    shape: AttentionShape,
    layers: usize,
    blocks: Vec<Box<[f32]>>,
    free: Vec<usize>,
    limit: usize,
}

/// The blocks of one sequence, in the order of its positions.
pub(super) type BlockTable = Vec<usize>;

impl KvCache {
    /// `budget` bounds the memory in bytes; none of it is taken before it is needed.
    pub(super) fn new(shape: AttentionShape, layers: usize, budget: usize) -> Self {
        let mut cache = Self { shape, layers, blocks: Vec::new(), free: Vec::new(), limit: 0 };
        cache.limit = budget / cache.block_bytes();
        cache
    }

    fn layer_len(&self) -> usize {
        self.shape.key_block() + self.shape.value_block()
    }

    fn block_bytes(&self) -> usize {
        (self.layer_len() * self.layers * size_of::<f32>()).max(1)
    }

    /// Bytes that a sequence of so many positions takes.
    pub(super) fn bytes_for(&self, positions: usize) -> usize {
        positions.div_ceil(BLOCK).saturating_mul(self.block_bytes())
    }

    /// Whether a sequence of so many positions fits into an empty cache.
    pub(super) fn can_ever_hold(&self, positions: usize) -> bool {
        positions.div_ceil(BLOCK) <= self.limit
    }

    /// Blocks for so many positions, or `None` while others hold too many.
    pub(super) fn reserve(&mut self, positions: usize) -> Option<BlockTable> {
        let needed = positions.div_ceil(BLOCK);
        if needed > self.free.len() + (self.limit - self.blocks.len()) {
            return None;
        }
        while self.free.len() < needed {
            self.free.push(self.blocks.len());
            self.blocks.push(vec![0.0; self.layer_len() * self.layers].into_boxed_slice());
        }
        Some(self.free.split_off(self.free.len() - needed))
    }

    pub(super) fn release(&mut self, table: BlockTable) {
        self.free.extend(table);
    }

    /// Stores the key and the value of one position, given as `[kv head][dimension]`.
    pub(super) fn write(&mut self, table: &[usize], layer: usize, position: usize, key: &[f32], value: &[f32]) {
        let (dim, padded, at) = (self.shape.head_dim, self.shape.padded_dim(), position % BLOCK);
        let (start, len) = (layer * self.layer_len(), self.layer_len());
        let block = &mut self.blocks[table[position / BLOCK]][start..start + len];
        let (keys, values) = block.split_at_mut(self.shape.key_block());
        keys.iter_mut().skip(at).step_by(BLOCK).zip(key).for_each(|(to, from)| *to = *from);
        for (head, value) in value.chunks_exact(dim).enumerate() {
            values[(head * BLOCK + at) * padded..][..dim].copy_from_slice(value);
        }
    }

    /// The keys and values of a layer, block by block.
    pub(super) fn layer(&self, table: &[usize], layer: usize) -> Vec<(&[f32], &[f32])> {
        let (start, len) = (layer * self.layer_len(), self.layer_len());
        table.iter().map(|b| self.blocks[*b][start..start + len].split_at(self.shape.key_block())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_bounded_and_come_back() {
        let shape = AttentionShape { heads: 2, kv_heads: 1, head_dim: 8 };
        let block = (8 + 8) * BLOCK * 3 * 4;
        let mut cache = KvCache::new(shape, 3, 5 * block + block / 2);
        assert!(cache.can_ever_hold(5 * BLOCK) && !cache.can_ever_hold(5 * BLOCK + 1));
        assert_eq!(cache.bytes_for(BLOCK + 1), 2 * block);
        let first = cache.reserve(3 * BLOCK).unwrap();
        assert!(cache.reserve(3 * BLOCK).is_none());
        let second = cache.reserve(2 * BLOCK).unwrap();
        assert!(first.iter().all(|b| !second.contains(b)));
        cache.release(first);
        assert_eq!(cache.reserve(3 * BLOCK).unwrap().len(), 3);
        assert_eq!(cache.blocks.len(), 5);
    }

    #[test]
    fn what_is_written_is_read() {
        let shape = AttentionShape { heads: 2, kv_heads: 2, head_dim: 4 };
        let mut cache = KvCache::new(shape, 2, 1 << 20);
        let table = cache.reserve(BLOCK + 2).unwrap();
        let (key, value): (Vec<f32>, Vec<f32>) =
            ((0..8).map(|i| i as f32).collect(), (8..16).map(|i| i as f32).collect());
        cache.write(&table, 1, BLOCK + 1, &key, &value);
        let (keys, values) = cache.layer(&table, 1)[1];
        for i in 0..8 {
            assert_eq!(keys[i * BLOCK + 1], key[i]);
            assert_eq!(values[((i / 4) * BLOCK + 1) * 8 + i % 4], value[i]);
        }
        assert!(cache.layer(&table, 0).iter().all(|(k, v)| k.iter().chain(*v).all(|x| *x == 0.0)));
    }
}
