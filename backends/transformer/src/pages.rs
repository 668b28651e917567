//! Pages of the KV cache: which are free, and how many sequences share each.

/// Hands out pages and counts who holds them.
#[derive(Debug)]
pub(crate) struct PagePool {
    free: Vec<u32>,
    holders: Vec<u32>,
}

impl PagePool {
    pub(crate) fn new(pages: u32) -> Self {
        Self { free: (0..pages).rev().collect(), holders: vec![0; pages as usize] }
    }

    pub(crate) fn total(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// A page with one holder, if any is free.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let page = self.free.pop()?;
        self.holders[page as usize] = 1;
        Some(page)
    }

    /// Adds a holder to a page in use.
    pub(crate) fn share(&mut self, page: u32) {
        self.holders[page as usize] += 1;
    }

    /// Removes a holder; the last one frees the page.
    pub(crate) fn release(&mut self, page: u32) {
        let holders = &mut self.holders[page as usize];
        *holders -= 1;
        if *holders == 0 {
            self.free.push(page);
        }
    }

    pub(crate) fn holders(&self, page: u32) -> u32 {
        self.holders[page as usize]
    }
}

/// A sequence: its length in tokens, and the pages of their keys and values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) length: usize,
    pub(crate) pages: Vec<u32>,
}

impl Sequence {
    /// The page that the next token goes to, if it exists already.
    pub(crate) fn open_page(&self, page_tokens: usize) -> Option<u32> {
        self.pages.get(self.length / page_tokens).copied()
    }

    /// Truncates to `length` tokens and releases the pages past them.
    pub(crate) fn shrink(&mut self, length: usize, page_tokens: usize, pool: &mut PagePool) {
        for page in self.pages.drain(length.div_ceil(page_tokens).min(self.pages.len())..) {
            pool.release(page);
        }
        self.length = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_page_is_free_when_its_last_holder_is_gone() {
        let mut pool = PagePool::new(1);
        let page = pool.take().expect("one is free");
        assert_eq!(pool.take(), None);
        pool.share(page);
        pool.release(page);
        assert_eq!((pool.free(), pool.holders(page)), (0, 1));
        pool.release(page);
        assert_eq!((pool.free(), pool.total()), (1, 1));
    }

    #[test]
    fn shrinking_keeps_the_page_that_is_partly_needed() {
        let mut pool = PagePool::new(3);
        let pages = (0..3).map(|_| pool.take().expect("free")).collect();
        let mut sequence = Sequence { length: 11, pages };
        sequence.shrink(5, 4, &mut pool);
        assert_eq!((sequence.pages.len(), pool.free(), sequence.open_page(4)), (2, 1, Some(1)));
        sequence.shrink(4, 4, &mut pool);
        assert_eq!((sequence.pages.len(), sequence.open_page(4)), (1, None));
        sequence.shrink(0, 4, &mut pool);
        assert_eq!(pool.free(), 3);
    }
}
