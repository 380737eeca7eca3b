package hydrant

// Streams is how many streams p holds something of.
func Streams(p *Producer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.streams)
}

// Used is how much of the buffer p's records take, and their bound.
func Used(p *Producer) (used, bound int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used, p.cfg.MaxBuffer
}
