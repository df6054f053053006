"""The classic incidents of a Magento shop, and which alert catches each of them."""
