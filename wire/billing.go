package wire

// BilledBytes is what Firehose bills for one record of size raw bytes: the size
// rounded up to the next 5,120. An empty record counts as nothing here; what
// AWS bills for one is not documented.
func BilledBytes(size int) int64 {
	return (int64(size) + BillingIncrement - 1) / BillingIncrement * BillingIncrement
}
