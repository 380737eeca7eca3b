package hydrant

// Metric is one number of Stats, as monitoring systems want it. hydrantprom and
// hydrantotel pass it on.
type Metric struct {
	// Name is in OpenTelemetry's style, such as "hydrant.records.accepted".
	Name string
	Unit string // in UCUM's notation: "{record}", "{call}", "By", "{USD}"
	Help string
	// Gauge says that the value goes up and down; others only grow.
	Gauge bool
	Value float64
}

// Metrics lists all numbers of s but for Refused by its codes and Latency: always
// the same ones, in the same order.
func (s *Stats) Metrics() []Metric {
	counter := func(name, unit string, value int64, help string) Metric {
		return Metric{Name: "hydrant." + name, Unit: unit, Help: help, Value: float64(value)}
	}
	gauge := func(name, unit string, value int64, help string) Metric {
		m := counter(name, unit, value, help)
		m.Gauge = true
		return m
	}
	return []Metric{
		counter("records.accepted", "{record}", s.Accepted, "Records accepted by Put, or found in the spool."),
		counter("records.recovered", "{record}", s.Recovered, "Records that were found in the spool."),
		counter("records.delivered", "{record}", s.Delivered, "Records that Firehose has stored."),
		counter("records.dead_lettered", "{record}", s.DeadLettered, "Records in the dead letter."),
		counter("records.damaged", "{record}", s.Damaged, "Records that the spool could not read any more."),
		gauge("records.pending", "{record}", s.Pending, "Records accepted and without a fate yet."),
		counter("records.retried", "{record}", s.Retries, "Times that a record was sent again."),
		counter("records.maybe_duplicate", "{record}", s.MaybeDuplicate, "Delivered records that may be stored twice."),
		counter("firehose_records", "{record}", s.FirehoseRecords, "Records stored, as Firehose counts them: a pack of many is one."),
		counter("bytes.accepted", "By", s.AcceptedBytes, "Raw bytes accepted by Put, delimiters included."),
		counter("bytes.delivered", "By", s.DeliveredBytes, "Raw bytes that Firehose has stored."),
		counter("bytes.billed", "By", s.BilledBytes, "Bytes that Firehose bills for what it has stored."),
		counter("bytes.billed_unpacked", "By", s.UnpackedBilledBytes, "Bytes that Firehose would bill had each record been sent on its own."),
		counter("bytes.linger_padding", "By", s.LingerPaddingBytes, "Billed bytes that a longer linger might have saved."),
		gauge("bytes.buffered", "By", s.BufferedBytes, "Share of the buffer that is taken."),
		gauge("bytes.spool", "By", s.SpoolBytes, "Size of the spool's files."),
		{Name: "hydrant.billed", Unit: "{USD}", Help: "Price of the billed bytes, for Direct PUT ingestion alone.", Value: s.BilledUSD},
		counter("calls", "{call}", s.Calls, "Put calls made."),
		counter("calls.failed", "{call}", s.FailedCalls, "Put calls that failed as a whole."),
		gauge("calls.in_flight", "{call}", int64(s.InFlight), "Put calls under way."),
	}
}
