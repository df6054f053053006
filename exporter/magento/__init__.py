"""What Magento is: its configuration, stores, codes, jobs, indexers and queues. Opens nothing itself."""
