package budget

import "crypto/sha256"

const mostCharged = 200_000 // charges whose repetition is recognised; about 15 MB

// charged are the newest calls that were charged without a reservation, by a digest of their ids. It has no pointers,
// so the garbage collector passes it by.
type charged struct {
	known  map[digest]struct{}
	oldest []digest // a ring
	next   int
}

type digest [16]byte

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte(id))
	return digest(sum[:16])
}

func (c *charged) has(id digest) bool {
	_, found := c.known[id]
	return found
}

func (c *charged) add(id digest) {
	if len(c.oldest) < mostCharged {
		c.oldest = append(c.oldest, id)
	} else {
		delete(c.known, c.oldest[c.next])
		c.oldest[c.next] = id
		c.next = (c.next + 1) % mostCharged
	}
	c.known[id] = struct{}{}
}

// inOrder calls back with each, the oldest first.
func (c *charged) inOrder(each func(digest) error) error {
	for place := range c.oldest {
		if err := each(c.oldest[(c.next+place)%len(c.oldest)]); err != nil {
			return err
		}
	}
	return nil
}
