//! Strongly connected components of a graph (Tarjan 1972), with a stack of its own since a grammar may be deep.

/// The components, each before those that lead to it. `next` gives the nodes that a node leads to.
pub(super) fn components(nodes: usize, next: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut index, mut low) = (vec![NEW; nodes], vec![0; nodes]);
    let (mut stack, mut on_stack, mut found) = (Vec::new(), vec![false; nodes], Vec::new());
    let mut count = 0;
    for root in 0..nodes {
        if index[root] != NEW {
            continue;
        }
        // The path of the search: a node, what it leads to, and how much of that was followed.
        let mut path: Vec<(usize, Vec<usize>, usize)> = Vec::new();
        let mut entered = Some(root);
        loop {
            if let Some(node) = entered.take() {
                (index[node], low[node]) = (count, count);
                count += 1;
                stack.push(node);
                on_stack[node] = true;
                path.push((node, next(node), 0));
            }
            let Some((node, nexts, followed)) = path.last_mut() else { break };
            let node = *node;
            match nexts.get(*followed) {
                Some(&other) => {
                    *followed += 1;
                    if index[other] == NEW {
                        entered = Some(other);
                    } else if on_stack[other] {
                        low[node] = low[node].min(index[other]);
                    }
                }
                None => {
                    path.pop();
                    if let Some((parent, ..)) = path.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                    if low[node] == index[node] {
                        let mut component = Vec::new();
                        while let Some(member) = stack.pop() {
                            on_stack[member] = false;
                            component.push(member);
                            if member == node {
                                break;
                            }
                        }
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_components_and_come_before_what_leads_to_them() {
        let edges: [&[usize]; 7] = [&[1], &[2, 3], &[1], &[4], &[4], &[0, 6], &[5]];
        let mut found = components(7, |node| edges[node].to_vec());
        found.iter_mut().for_each(|component| component.sort_unstable());
        assert_eq!(found, [vec![4], vec![3], vec![1, 2], vec![0], vec![5, 6]]);
        let chain = components(100_000, |node| if node + 1 < 100_000 { vec![node + 1] } else { vec![] });
        assert_eq!((chain.len(), &chain[0], &chain[99_999]), (100_000, &vec![99_999], &vec![0]));
    }
}
